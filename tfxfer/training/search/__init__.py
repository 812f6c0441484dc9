"""The search phase: several ways to fine-tune are tried for a few steps, and one is chosen."""
