"""The nouns on the arrows: video, cameras, Gaussians, scene, and their geometry."""
