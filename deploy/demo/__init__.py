"""A Kerman week through the real HTTP doors, by people who click like people (`make demo`)."""
