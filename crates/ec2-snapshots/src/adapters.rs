//! What talks to AWS. Each service has a folder of its own, the only one that names its SDK.

pub mod ebs;
pub mod ec2;
