//! `lastgood app cat`.

use std::sync::{Arc, Mutex, PoisonError};

use object_backup::{ObjectError, ObjectResult, Wanted, cat};

use crate::args::app::Cat;
use crate::commands::app::asked::{found, sought};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::render::printer::Printer;

/// Bytes printed at a time.
const PRINT_BYTES: usize = 64 * 1024;

pub(super) async fn run(arguments: &Cat, context: &Context) -> CliResult<Exit> {
    let store = context.open().await?;
    let sought = sought(&arguments.key, arguments.name.as_deref(), &arguments.of);
    let entry = found(&*store, sought, context).await?.entry;
    let gathered = Arc::new(Mutex::new(Vec::with_capacity(PRINT_BYTES)));
    let take = {
        let (gathered, printer) = (Arc::clone(&gathered), Arc::clone(&context.printer));
        move |line: &[u8]| {
            let mut gathered = gathered.lock().unwrap_or_else(PoisonError::into_inner);
            gathered.extend_from_slice(line);
            gathered.push(b'\n');
            if gathered.len() >= PRINT_BYTES { print(&printer, &mut gathered) } else { Ok(()) }
        }
    };
    Box::pin(cat::cat(&store, &entry, &Wanted::parse(&arguments.wanted), Box::new(take), &context.run)).await?;
    print(&context.printer, &mut gathered.lock().unwrap_or_else(PoisonError::into_inner))?;
    Ok(Exit::Ok)
}

fn print(printer: &Printer, gathered: &mut Vec<u8>) -> ObjectResult<()> {
    let printed = printer.bytes(gathered).map_err(|error| ObjectError::Target {
        action: "write",
        what: "standard output".to_owned(),
        source: error.into(),
    });
    gathered.clear();
    printed
}
