export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local-secret AWS_REGION=us-east-1
folder=$(mktemp -d)
mkfifo "$folder/ready"
ebs-snapshot serve --data "$folder/snapshots" > "$folder/ready" &
service=$!
trap 'kill "$service"; wait "$service"; rm -r "$folder"' EXIT
read -r _ _ AWS_ENDPOINT_URL < "$folder/ready"   # listening on http://127.0.0.1:PORT
export AWS_ENDPOINT_URL

snapshot=$(ebs-snapshot upload disk.img)         # what you test
ebs-snapshot download "$snapshot" "$folder/copy.img"
cmp -n "$(wc -c < disk.img)" disk.img "$folder/copy.img"
curl --silent "$AWS_ENDPOINT_URL/_local/requests" | grep -c '"PutSnapshotBlock"'
