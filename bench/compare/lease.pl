# lease.pl FILE: exit code 0 if no process has FILE open, 1 if one has, 2 if this file system has no leases.
# fcntl(2): F_SETLEASE of a write lease succeeds only if the file is not open for any other process.
use strict;
use warnings;
use Errno qw(EAGAIN);

use constant { F_SETLEASE => 1024, F_WRLCK => 1 };
open(my $file, '<', $ARGV[0]) or die "$ARGV[0]: $!";
exit 0 if fcntl($file, F_SETLEASE, F_WRLCK);
exit($! == EAGAIN ? 1 : 2);
