# writer.pl LINES: a service that writes LINES lines of 100 bytes, one write(2) for each, and then does nothing.
use strict;
use warnings;

my ($lines) = @ARGV;
my $line = ('x' x 98) . "~\n";
for (1 .. $lines) { syswrite(STDOUT, $line) // die "write: $!" }
sleep($ENV{FIXTURE_LIFETIME} || 300);
