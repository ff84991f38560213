//! The same through Systems Manager, as far as a fake of it is the service: it really runs the programs.

use backup_core::aws::{Credentials, Endpoint, Settings};
use backup_testkit::ec2_fake::Ec2Fake;
use backup_testkit::ec2_fake::seed::ACCOUNT;

use super::disk::{LoopDisk, ends_within, record_of};
use super::*;
use crate::host::adapters::Ssm;

const INSTANCE: &str = "i-0aaaaaaaaaaaaaaa1";
const MOMENT: Duration = Duration::from_millis(300);
const SOON: Duration = Duration::from_secs(5);

fn shell(fake: &Ec2Fake, instance: &str) -> Arc<Ssm> {
    let credentials = Credentials::new(ACCOUNT, "secret");
    let (url, region) = (fake.endpoint().to_owned(), "us-east-1".to_owned());
    Arc::new(Ssm::new(&Settings::of_endpoint(&Endpoint { url, region, credentials }), instance))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_frozen_and_thawed_by_two_commands() {
    let _alone = ALONE.lock().await;
    let Some(disk) = LoopDisk::new("ext4") else { return };
    let (fake, folder) = (Ec2Fake::small().unwrap(), tempfile::tempdir().unwrap());
    fake.settings(|settings| settings.ssm_folder = Some(folder.path().to_owned()));
    let shell = shell(&fake, INSTANCE);
    let (asked, by) = ([disk.path()], "a test".to_owned());
    let request = Request::of(&*shell, &asked, Duration::from_secs(30), Hooks::default(), by).await.unwrap();
    let held = Held::freeze(shell.clone(), &request).await.unwrap();
    let mut writer = disk.writer();
    assert!(!ends_within(&mut writer, MOMENT));
    assert!(held.thaw().await.unwrap().held);
    assert!(ends_within(&mut writer, SOON) && record_of(&disk.path()).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_without_an_agent_is_said_to_be_out_of_reach() {
    let fake = Ec2Fake::small().unwrap();
    let failed = crate::freeze::survey(&*shell(&fake, INSTANCE), &[]).await.unwrap_err();
    let FreezeError::Host(HostError::Unreachable { host, said }) = &failed else { panic!("{failed}") };
    assert!(host == INSTANCE && said.contains("InvalidInstanceId"), "{failed}");
}
