//! Killed at every step, and run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use backup_core::progress::{Event, Progress, Silent};
use glacier_archive::class::Class;
use glacier_archive::plan::Limits;

use super::world::{World, hours};

/// Ends the process, as far as a test has one, at the step of this number.
#[derive(Debug)]
struct DiesAtStep {
    left: AtomicUsize,
}

impl Progress for DiesAtStep {
    fn event(&self, event: Event) {
        if matches!(event, Event::Step { .. }) && self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            panic!("killed");
        }
    }
}

/// The whole way there and back; false if it was killed.
async fn there_and_back(world: Arc<World>, part: usize) -> bool {
    let ran = tokio::spawn(async move {
        match part {
            0 => drop(world.backup().await.unwrap()),
            1 => drop(world.rebuild().await.unwrap()),
            2 => drop(world.retrieve(Limits::default()).await.unwrap()),
            3 => drop(world.fetch().await.unwrap()),
            _ => drop(world.restore(false).await.unwrap()),
        }
    });
    match ran.await {
        Ok(()) => true,
        Err(error) => {
            assert!(error.is_panic());
            let said = error.into_panic();
            assert_eq!(said.downcast_ref::<&str>(), Some(&"killed"), "another panic");
            false
        }
    }
}

#[tokio::test]
async fn killed_at_every_step_it_archives_once_pays_once_and_restores_all() {
    for part in 0..5 {
        for step in 1.. {
            let mut world = World::new(Class::Glacier);
            let originals = world.fill();
            let mut was_killed = false;
            for now in 0..5 {
                match now {
                    1 => world.lose_everything(),
                    3 => world.pass(hours(12)),
                    _ => {}
                }
                if now == part {
                    world.progress = Arc::new(DiesAtStep { left: AtomicUsize::new(step) });
                    let shared = Arc::new(world);
                    was_killed = !there_and_back(shared.clone(), now).await;
                    world = Arc::try_unwrap(shared).ok().unwrap();
                    world.progress = Arc::new(Silent);
                }
                let shared = Arc::new(world);
                assert!(there_and_back(shared.clone(), now).await);
                world = Arc::try_unwrap(shared).ok().unwrap();
            }
            world.check(&originals);
            let payloads =
                world.peer.keys().iter().filter(|key| key.contains("/bundles/") || key.contains("/archives/")).count();
            assert_eq!(payloads, 2, "part {part}, step {step}: archived once");
            let paid = world.peer.log().iter().filter(|call| call.op == "RestoreObject" && call.status == 202).count();
            assert_eq!(paid, 2, "part {part}, step {step}: paid once");
            if !was_killed {
                break;
            }
        }
    }
}
