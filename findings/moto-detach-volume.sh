#!/bin/sh
# moto 5.2.5 (PyPI): DetachVolume by the volume's ID alone raises TypeError.
#
# DetachVolume needs the volume only ("InstanceId ... if you are detaching a Multi-Attach enabled volume"; `Device` is optional),
# and `aws ec2 detach-volume --volume-id ID` is the first example of the AWS CLI.
#
# What happens: without `Device` moto asks for the length of None. In a program that uses its decorator this is a TypeError of
# Python, not an error of EC2; its server answers 500, which SDKs take for a passing fault and try again.
#
# Why it matters: code that handles errors of EC2 never sees one, and what really works cannot be tested.
#
# Seen with moto 5.2.5, boto3 1.44.8, Python 3.11.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
changed() { echo "CHANGED: $*" >&2; exit 1; }
untried() { echo "NOT TRIED: $*" >&2; exit 2; }

python3 -m venv "$work/venv" || untried "python3 -m venv failed"
"$work/venv/bin/pip" install -q 'moto[ec2]==5.2.5' boto3==1.44.8 || untried "the packages could not be installed"

cat > "$work/detach.py" <<'PYTHON'
import boto3
from moto import mock_aws


@mock_aws
def main():
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    ec2 = boto3.client("ec2", region_name="us-east-1", **keys)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    zone = {"AvailabilityZone": "us-east-1a"}
    run = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, Placement=zone)
    instance = run["Instances"][0]["InstanceId"]

    def attached():
        volume = ec2.create_volume(Size=1, **zone)["VolumeId"]
        ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        return volume

    try:
        print("without device:", ec2.detach_volume(VolumeId=attached())["State"])
    except Exception as error:
        print("without device:", type(error).__name__)
    there = {"InstanceId": instance, "Device": "/dev/sdf"}
    print("with device:", ec2.detach_volume(VolumeId=attached(), **there)["State"])


main()
PYTHON
said=$("$work/venv/bin/python" "$work/detach.py") || changed "the program ended with $?"
echo "$said"
case "$said" in
"without device: TypeError
with device: "*) ;;
*) changed "moto says something else" ;;
esac
echo "As described: the call that needs no device fails by a TypeError."
