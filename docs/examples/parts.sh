id=$(ebs-snapshot start --volume-size 1)              # once, before the job
for task in 0 1 2 3; do                               # each task of the job: task=$SLURM_ARRAY_TASK_ID
  first=$((task * 512)); last=$((first + 511))        # of 2048 blocks to a GiB, last included
  ebs-snapshot upload disk.img --snapshot-id "$id" --range "$first:$last" --manifest "part-$task" --resume \
    --zero-blocks omit                                # a snapshot without a parent is zero where nothing was sent
done
ebs-snapshot complete "$id" --manifest part-*         # once, after the job
