//! A disk: a sparse file, and a loop device while it is attached.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::program::{printed, run};
use crate::ec2_fake::content::{BLOCK_BYTES, Block, Content};
use crate::ec2_fake::hardware::Disk;

/// A disk; dropping it deletes it.
#[derive(Debug)]
pub(super) struct LoopDisk {
    image: PathBuf,
    attached: Option<Attached>,
}

#[derive(Debug)]
struct Attached {
    instance: String,
    /// `/dev/loop7`.
    device: String,
    /// How the machine knows it.
    node: PathBuf,
}

impl LoopDisk {
    pub(super) fn new(folder: &Path, disk: &Disk<'_>) -> Result<Self, String> {
        let image = folder.join(format!("{}.img", disk.id));
        write(&image, disk).map_err(|error| format!("{}: {error}", image.display()))?;
        Ok(Self { image, attached: None })
    }

    pub(super) fn is_on(&self, instance: &str) -> bool {
        self.attached.as_ref().is_some_and(|own| own.instance == instance)
    }

    pub(super) fn attach(&mut self, instance: &str, node: &Path) -> Result<(), String> {
        let image = self.image.display().to_string();
        let device = printed("losetup", &["-f", "--show", &image]).ok_or("there are no loop devices")?;
        let metadata = std::fs::metadata(&device).map_err(|error| error.to_string())?;
        let (major, minor) = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
        let _of_before = std::fs::remove_file(node);
        let words = [&node.display().to_string(), "b", &major.to_string(), &minor.to_string()];
        if !run("mknod", &words.map(|word| word)) {
            run("losetup", &["-d", &device]);
            return Err(format!("`mknod {}` failed", node.display()));
        }
        self.attached = Some(Attached { instance: instance.to_owned(), device, node: node.to_owned() });
        Ok(())
    }

    /// Whether it is gone: a loop device that is mounted stays until it is not.
    pub(super) fn detach(&mut self) -> bool {
        let Some(attached) = &self.attached else { return true };
        run("losetup", &["-d", &attached.device]);
        for _ in 0..25 {
            let file = printed("losetup", &["-n", "-O", "BACK-FILE", &attached.device]).unwrap_or_default();
            if !file.contains(&self.image.display().to_string()) {
                let _gone = std::fs::remove_file(&attached.node);
                self.attached = None;
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        false
    }

    /// What is on it. Blocks of zeros count as never written.
    pub(super) fn content(&self) -> std::io::Result<Content> {
        if let Some(attached) = &self.attached {
            run("blockdev", &["--flushbufs", &attached.device]);
        }
        let (mut file, mut content) = (File::open(&self.image)?, Content::default());
        let (mut block, zeros) = (vec![0; BLOCK_BYTES], vec![0; BLOCK_BYTES]);
        let count = file.metadata()?.len() / BLOCK_BYTES as u64;
        for index in 0..u32::try_from(count).unwrap_or(u32::MAX) {
            file.read_exact(&mut block)?;
            if block != zeros {
                content.put(index, Block::Data(Bytes::copy_from_slice(&block)));
            }
        }
        Ok(content)
    }

    /// Makes a file system with `make`, has it written to, and reads the disk.
    pub(super) fn fill(
        self,
        make: &[&str],
        change: impl FnOnce(&Path) -> std::io::Result<()>,
    ) -> Result<Content, String> {
        let (program, words) = make.split_first().ok_or("there is no program")?;
        let image = self.image.display().to_string();
        let words: Vec<&str> = words.iter().copied().chain([image.as_str()]).collect();
        if !run(program, &words) {
            return Err(format!("`{}` failed", make.join(" ")));
        }
        self.mounted("loop", |path, _| change(path))?.map_err(|error| error.to_string())?;
        self.content().map_err(|error| error.to_string())
    }

    /// Has it read, mounted without writing to it; with the path of the image, too.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Path, &str) -> T) -> Result<T, String> {
        self.mounted("loop,ro", look)
    }

    fn mounted<T>(&self, options: &str, work: impl FnOnce(&Path, &str) -> T) -> Result<T, String> {
        let (image, at) = (self.image.display().to_string(), self.image.with_extension("mnt"));
        std::fs::create_dir_all(&at).map_err(|error| error.to_string())?;
        let path = at.display().to_string();
        if !run("mount", &["-o", options, &image, &path]) {
            return Err(format!("{image} cannot be mounted"));
        }
        let done = work(&at, &image);
        if run("umount", &[&path]) { Ok(done) } else { Err(format!("{path} cannot be unmounted")) }
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        self.detach();
        let _gone = std::fs::remove_file(&self.image);
    }
}

fn write(image: &Path, disk: &Disk<'_>) -> std::io::Result<()> {
    let mut file = File::create(image)?;
    file.set_len(disk.size << 30)?;
    for index in disk.content.indexes(0) {
        file.seek(SeekFrom::Start(u64::from(index) * BLOCK_BYTES as u64))?;
        file.write_all(&disk.content.get(index).map(Block::bytes).unwrap_or_default())?;
    }
    file.sync_all()
}
