# writer.pl LINES FILE: a service that writes LINES lines of 100 bytes, one write(2) for each, and then does nothing.
# Before the first one it writes the time into FILE, in s of CLOCK_MONOTONIC, which is the clock of every process.
use strict;
use warnings;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my ($lines, $file) = @ARGV;
my $line = ('x' x 98) . "~\n";
open(my $began, '>', $file) or die "$file: $!";
printf $began "%.6f", clock_gettime(CLOCK_MONOTONIC);
close $began;
for (1 .. $lines) { syswrite(STDOUT, $line) // die "write: $!" }
sleep($ENV{FIXTURE_LIFETIME} || 300);
