# crowd.pl FIFO MARKER COUNT: COUNT processes that do nothing. Each holds FIFO and MARKER open, and writes one byte
# into FIFO when it is there: so the kernel itself tells the bench, by the bytes and by the end of the file, when all
# have come and when the last has gone.
#
# The main process hands SIGTERM and SIGINT on, as servers with workers do, and ends last. Supervisors that signal
# nothing but the main process would leave all others.
use strict;
use warnings;
use POSIX ();

my ($fifo, $marker, $count) = @ARGV;
my $lifetime = $ENV{FIXTURE_LIFETIME} || 600;
open(my $births, '>>', $fifo) or die "$fifo: $!";
open(my $mark, '>>', $marker) or die "$marker: $!";

my @children;
for (2 .. $count) {
  my $pid = fork // die "fork: $!";
  if (!$pid) {
    syswrite($births, '.');
    sleep $lifetime;
    POSIX::_exit(0);
  }
  push @children, $pid;
}
$SIG{TERM} = $SIG{INT} = sub {
  kill TERM => @children;
  1 while waitpid(-1, 0) > 0;
  POSIX::_exit(0);
};
syswrite($births, '.');
sleep $lifetime;
