"""The saved model in other formats, each checked against it, and the model card."""
