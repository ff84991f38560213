//! What talks to AWS. Each service has a folder of its own, the only one that names its SDK.

pub mod ebs;

use aws_sdk_ec2 as _;
use aws_sdk_ssm as _;
