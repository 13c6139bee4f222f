"""What `sf-eval verify` compares with recorded outputs of the published code: model, protocol, tables."""
