"""Images: references and their transports, content by digest, unpacking layers."""
