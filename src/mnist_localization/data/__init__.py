"""Everything before the model: sources, annotations, images, splits."""
