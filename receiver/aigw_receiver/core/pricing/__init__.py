"""What tokens cost: the price book, how a model finds its entry, and the sum. Pure, as all of the core."""
