"""Latent video diffusion models through diffusers: Wan, LTX and SANA-WM behind the one protocol.

Only `4real ... --model` comes here. diffusers, transformers and accelerate (the extra `models`) are imported inside
functions, so that nothing else waits for them.
"""
