"""Pure: what many agents said, told to a model: text first, bounded, saying what it left out."""
