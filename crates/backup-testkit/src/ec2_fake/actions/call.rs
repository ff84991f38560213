//! One call of an action.

use backup_core::clock::Timestamp;

use crate::aws_fake::Received;
use crate::ec2_fake::form::Form;
use crate::ec2_fake::state::State;

/// One call of an action.
pub(in crate::ec2_fake) struct Call<'a> {
    pub(in crate::ec2_fake) state: &'a mut State,
    pub(in crate::ec2_fake) form: &'a Form,
    pub(in crate::ec2_fake) received: &'a Received,
    pub(in crate::ec2_fake) now: Timestamp,
}

impl Call<'_> {
    pub(in crate::ec2_fake) fn region(&self) -> &str {
        &self.received.caller.region
    }

    pub(in crate::ec2_fake) fn account(&self) -> &str {
        &self.received.caller.account
    }
}
