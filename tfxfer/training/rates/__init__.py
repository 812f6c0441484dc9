"""The learning rates of the finetune phase."""
