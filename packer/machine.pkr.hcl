# Boots an install medium with an empty disk, waits until the machine it installed answers over SSH, tests that
# machine, and leaves its disk behind. `rigforge.verify` writes the values beside a copy of this file.

variable "iso" {
  type        = string
  description = "Path of the install medium."
}

variable "output_directory" {
  type        = string
  description = "Folder for machine.qcow2; must not exist yet, and is removed when the run fails."
}

variable "disk_mib" {
  type        = number
  description = "Size of the empty disk in MiB."
}

variable "qemuargs" {
  type        = list(list(string))
  description = "The whole machine as QEMU options (rigforge/verify/qemu.py): drives, firmware, network, console."
}

variable "ssh_port" {
  type        = number
  description = "Port on 127.0.0.1 that reaches the machine's SSH server."
}

variable "ssh_username" {
  type = string
}

variable "ssh_private_key_file" {
  type = string
}

variable "ssh_timeout" {
  type        = string
  description = "How long installing and the first boot may take together."
  default     = "30m"
}

variable "test_command" {
  type        = string
  description = "Shell command that tests the machine, run here and not on it."
}

source "qemu" "machine" {
  iso_url      = var.iso
  iso_checksum = "none" # the medium checks itself, and was checked when it was made

  output_directory = var.output_directory
  vm_name          = "machine.qcow2"
  format           = "qcow2"
  disk_size        = "${var.disk_mib}M"
  skip_compaction  = true

  headless    = true
  disable_vnc = true
  boot_wait   = "-1s" # nothing is typed: the medium's menu installs by itself
  qemuargs    = var.qemuargs

  skip_nat_mapping     = true # the port is forwarded in qemuargs, to 127.0.0.1 only
  ssh_host             = "127.0.0.1"
  ssh_port             = var.ssh_port
  ssh_username         = var.ssh_username
  ssh_private_key_file = var.ssh_private_key_file
  ssh_timeout          = var.ssh_timeout
  # The server answers before the first boot has made the user, and each refusal counts.
  ssh_handshake_attempts = 1000

  shutdown_command = "sudo -n systemctl poweroff"
  shutdown_timeout = "5m"
}

build {
  sources = ["source.qemu.machine"]

  provisioner "shell-local" {
    inline = [var.test_command]
  }
}
