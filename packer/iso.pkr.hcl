# Runs the build of the install medium, for pipelines that speak Packer. `invoke packer iso` writes the values.

variable "bootstrap" {
  type        = string
  description = "Path of Rigforge's bootstrap."
}

variable "stack" {
  type        = string
  description = "Name of the stack, or path of its file."
}

variable "site" {
  type        = string
  description = "Path of the file with the site's values (site.toml)."
}

variable "out" {
  type        = string
  description = "Folder for the medium."
}

variable "iso" {
  type        = string
  description = "Path of the medium in that folder."
}

variable "lock_sha256" {
  type        = string
  description = "The sha256 of the stack's lock, for the manifest."
}

source "null" "iso" {
  communicator = "none"
}

build {
  sources = ["source.null.iso"]

  # The values are in the environment, so that no character of theirs means anything to the shell.
  provisioner "shell-local" {
    environment_vars = [
      "RIGFORGE_BOOTSTRAP=${var.bootstrap}",
      "RIGFORGE_STACK=${var.stack}",
      "RIGFORGE_SITE=${var.site}",
      "RIGFORGE_OUT=${var.out}",
    ]
    inline = [
      "\"$RIGFORGE_BOOTSTRAP\" build-iso --stack \"$RIGFORGE_STACK\" --site \"$RIGFORGE_SITE\" --out \"$RIGFORGE_OUT\"",
    ]
  }

  post-processors {
    post-processor "artifice" {
      files = [var.iso]
    }
    post-processor "checksum" {
      checksum_types      = ["sha256"]
      output              = "${var.iso}.{{ .ChecksumType }}"
      keep_input_artifact = true
    }
    post-processor "manifest" {
      output      = "${var.iso}.manifest.json"
      custom_data = { stack = var.stack, lock_sha256 = var.lock_sha256 }
    }
  }
}
