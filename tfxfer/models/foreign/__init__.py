"""What is common to the files of others, whatever network they hold."""
