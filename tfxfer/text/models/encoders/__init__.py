"""BERT-like encoders: pretrained text backbones of KerasHub, transformers and packages."""
