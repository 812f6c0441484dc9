"""Reading weights that PyTorch saved, without PyTorch."""
