//! What acceptance rows stand on: a server, a location, the built binary, and words for what is not as it should be.

pub mod command;
pub mod compare;
pub mod disk;
pub mod failure;
pub mod folding;
pub mod loop_disk;
pub mod loopback;
pub mod others;
pub mod page;
pub mod paused;
pub mod place;
pub mod row;
pub mod sample;
pub mod script;
pub mod standby;
pub mod stub;
pub mod world;

pub use self::command::{Lastgood, Output, Running};
pub use self::disk::SmallDisk;
pub use self::failure::{Failure, RowResult};
pub use self::folding::FoldingDisk;
pub use self::loop_disk::LoopDisk;
pub use self::place::{Object, Place};
pub use self::row::{Area, Locations, Row, Where};
pub use self::standby::Standby;
pub use self::world::World;
