# The classic road: Canonical's own ISO installs a virtual machine, which then gets driver, CUDA and PyTorch of a stack.
# `invoke packer ubuntu` writes the values and the files that the installer asks for over HTTP.

variable "iso_url" {
  type        = string
  description = "Path or URL of the live-server ISO."
}

variable "iso_checksum" {
  type        = string
  description = "sha256:… of the ISO, as the lock has it."
}

variable "http_directory" {
  type        = string
  description = "Folder with user-data and meta-data."
}

variable "output_directory" {
  type        = string
  description = "Folder for machine.qcow2; must not exist yet."
}

variable "disk_mib" {
  type        = number
  description = "Size of the disk in MiB."
}

variable "packages" {
  type        = list(string)
  description = "apt packages of the driver, as name=version; the machine gets them from its archive."
}

variable "layers" {
  type        = list(string)
  description = "Paths of squashfs files, bottom first, that are unpacked over the machine's root."
}

variable "ssh_username" {
  type = string
}

variable "ssh_private_key_file" {
  type = string
}

variable "ssh_timeout" {
  type    = string
  default = "60m"
}

source "qemu" "ubuntu" {
  iso_url          = var.iso_url
  iso_checksum     = var.iso_checksum
  http_directory   = var.http_directory
  output_directory = var.output_directory
  vm_name          = "machine.qcow2"
  format           = "qcow2"
  disk_size        = "${var.disk_mib}M"
  headless         = true
  memory           = 4096
  cpus             = 2

  # GRUB's command line: the semicolon would end the command without the quotes.
  boot_wait = "5s"
  boot_command = [
    "c<wait>",
    "linux /casper/vmlinuz autoinstall \"ds=nocloud-net;s=http://{{ .HTTPIP }}:{{ .HTTPPort }}/\" ---<enter><wait>",
    "initrd /casper/initrd<enter><wait>",
    "boot<enter>",
  ]

  ssh_username           = var.ssh_username
  ssh_private_key_file   = var.ssh_private_key_file
  ssh_timeout            = var.ssh_timeout
  ssh_handshake_attempts = 1000
  shutdown_command       = "sudo -n systemctl poweroff"
}

build {
  sources = ["source.qemu.ubuntu"]

  provisioner "shell" {
    inline = concat(
      ["cloud-init status --wait", "sudo -n apt-get update"],
      [for package in concat(["squashfs-tools"], var.packages) : "sudo -n apt-get install --yes '${package}'"],
      ["install --directory /tmp/layers"],
    )
  }

  provisioner "file" {
    sources     = var.layers
    destination = "/tmp/layers/"
  }

  provisioner "shell" {
    inline = concat(
      [for layer in var.layers : "sudo -n unsquashfs -quiet -force -dest / '/tmp/layers/${basename(layer)}'"],
      ["sudo -n ldconfig", "rm --recursive /tmp/layers"],
    )
  }

  post-processor "manifest" {
    output = "${var.output_directory}/manifest.json"
  }
}
