# Perl threads over one shared queue, counters under lock(), conditions with and without a time limit.
use strict;
use warnings;
use threads;
use threads::shared;

my @queue : shared;
my $sum : shared = 0;
my $done : shared = 0;

sub consume {
  while (1) {
    my $item;
    {
      lock(@queue);
      until (@queue || $done) { cond_timedwait(@queue, time() + 5) }
      return unless @queue;
      $item = shift @queue;
      cond_signal(@queue);
    }
    my @garbage = map { { value => $_ } } 1 .. 50;
    lock($sum);
    $sum += $item;
  }
}

for my $round (1 .. 4) {
  $done = 0;
  my @threads = map { threads->create(\&consume) } 1 .. 6;
  for my $item (1 .. 800) {
    lock(@queue);
    cond_wait(@queue) while @queue > 20;
    push @queue, $item;
    cond_signal(@queue);
  }
  { lock(@queue); $done = 1; cond_broadcast(@queue) }
  $_->join for @threads;
}
print "sum $sum\n";
