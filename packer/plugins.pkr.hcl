# Only for Packer 1.7 and later; 1.6 has the qemu builder built in and does not know this block.
packer {
  required_plugins {
    qemu = {
      version = ">= 1.0.0"
      source  = "github.com/hashicorp/qemu"
    }
  }
}
