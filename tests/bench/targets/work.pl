# SPDX-License-Identifier: Apache-2.0
# Perl to be stopped at random: recursion, sorting with a block, regular expressions, eval and die.
# Runs until it is killed.
use strict;
use warnings;
no warnings 'recursion';

sub descend {
	my ($depth, $seed) = @_;
	if ($depth == 0) {
		my %seen;
		my $text = join ' ', map { "w$_-" . ($_ * $seed % 97) } 1 .. 60;
		$text =~ s/(w\d+)-(\d+)/$seen{$2}++ ? uc $1 : "$2$1"/ge;
		return scalar sort { $seen{$a} <=> $seen{$b} || $a <=> $b } keys %seen;
	}
	die "bottom\n" if $depth == 3 && $seed % 5 == 0;
	my @sorted = sort { descend($depth - 1, $seed + $a) <=> $b } (2, 1);
	return $sorted[0];
}

for (my $seed = 1; ; $seed++) {
	eval { descend($seed % 9, $seed) };
}
