# floor.pl start | stop GRACE | status | up | run COMMAND…: a process group for each service, a signal to each group.
use strict;
use warnings;
use POSIX ();

my ($act, @words) = @ARGV;

sub pids { open(my $file, '<', 'pids') or return; my @pids = <$file>; chomp @pids; return @pids }

sub launch {
  my ($isQuiet, @command) = @_;
  my $pid = fork // die "fork: $!";
  if ($pid) { setpgrp($pid, 0); return $pid }
  setpgrp(0, 0);
  if ($isQuiet) { open(STDOUT, '>>', 'log'); open(STDERR, '>>', 'log') }
  exec { $command[0] } @command;
  POSIX::_exit(127);
}

sub launch_all {
  my ($isQuiet) = @_;
  open(my $services, '<', 'services') or die "services: $!";
  return map { chomp; launch($isQuiet, split /\t/) } <$services>;
}

# A group without a member that is not a zombie answers as one with members, so the children have to be reaped.
sub end {
  my ($grace, @pids) = @_;
  kill TERM => map { -$_ } @pids;
  my $end = time + $grace;
  while (1) {
    1 while waitpid(-1, POSIX::WNOHANG()) > 0;
    @pids = grep { kill 0 => -$_ and alive($_) } @pids;
    last if !@pids;
    kill KILL => map { -$_ } @pids if time >= $end;
    select(undef, undef, undef, 0.002);
  }
}

# No more than zombies: init takes its time with those that it has inherited.
sub alive {
  my ($group) = @_;
  for my $file (glob '/proc/[0-9]*/stat') {
    open(my $stat, '<', $file) or next;
    my $line = <$stat> // next;
    my ($state, undef, $pgid) = split ' ', $line =~ s/.*\) //r;
    return 1 if $pgid == $group && $state ne 'Z' && $state ne 'X';
  }
  return 0;
}

if ($act eq 'start') {
  my @pids = launch_all(1);
  open(my $file, '>', 'pids') or die;
  print $file map { "$_\n" } @pids;
} elsif ($act eq 'stop') {
  end($words[0], pids());
} elsif ($act eq 'status') {
  print "$_ ", (kill(0 => -$_) ? 'up' : 'down'), "\n" for pids();
} elsif ($act eq 'up') {
  my @pids = launch_all(0);
  $SIG{INT} = $SIG{TERM} = sub { end(4, @pids); exit 0 };
  1 while waitpid(-1, 0) > 0;
} elsif ($act eq 'run') {
  my $pid = launch(0, @words);
  waitpid($pid, 0);
  my $code = $? >> 8;
  kill TERM => -$pid;
  exit $code;
}
