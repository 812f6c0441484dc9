"""Planning: from the settings that the user gave to a plan with every setting decided."""
