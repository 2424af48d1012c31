id=$(ebs-snapshot upload disk.img --tag Name=web)    # a file, a block device, or - for stdin
ebs-snapshot download "$id" copy.img                 # a file, a block device, or - for stdout
gunzip -c disk.img.gz | ebs-snapshot upload - --volume-size 1 --encrypted
ebs-snapshot upload disk.img --local ./snapshots     # needs no account: the service on a folder
ebs-snapshot upload --help                           # every flag
