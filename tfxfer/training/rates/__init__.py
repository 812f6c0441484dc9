"""How fast the finetune phase trains, and when which stages."""
