//! What talks to AWS.

use aws_sdk_ebs as _;
use aws_sdk_ec2 as _;
use aws_sdk_ssm as _;
