"""Files in and out: clips and images, splats, cameras in four forms."""
