"""Score distillation: the one loss, what is done to frames before it, noise levels, and which views it looks at."""
