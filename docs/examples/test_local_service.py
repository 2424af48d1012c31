import subprocess

import boto3
import pytest


@pytest.fixture
def aws(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local-secret")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    command = ["ebs-snapshot", "serve", "--data", str(tmp_path / "snapshots")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.stdout.readline().split()[-1])
    yield boto3.Session()
    server.terminate()
    server.wait()


def test_an_empty_snapshot_completes(aws):
    ebs, ec2 = aws.client("ebs"), aws.client("ec2")
    snapshot = ebs.start_snapshot(VolumeSize=1, Description="nightly")["SnapshotId"]
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=0)
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot])
    [found] = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert found["Description"] == "nightly"
