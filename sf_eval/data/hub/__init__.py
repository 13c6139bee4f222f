"""What is fetched from the Hub: manifests, layouts, downloads, archives unpacked safely."""
