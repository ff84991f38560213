//! Import rings: modules of one crate that can be read, tested and moved only together.
//!
//! Each file is a module. An arrow leads from it to the module that *defines* what it names with `use`, `crate::…`,
//! `super::…`, `self::…` or the name of a child: a re-export on the way is followed, so that a facade neither makes a
//! ring nor hides one. That a parent declares a child (`mod x;`) or re-exports something of it (`pub use x::Y;`) is no
//! arrow as long as its own code does not use it. Code under `#[cfg(test)]` is not read, and inline modules are taken for part of their file.

mod imports;

use std::collections::{BTreeMap, BTreeSet};

use imports::{Import, Imports};

use super::ratchet::Ratchet;
use super::source::SourceFile;

/// The crate of whole runs. A file of rows uses what stands beside the table that lists it: there, arrows to the modules
/// above are no arrows.
const ACCEPTANCE: &str = "tests";

/// Re-exports followed one after the other: two of a kind can name each other in a circle.
const STEPS_MAX: usize = 16;

/// A module by its segments; the root has none.
type Module = Vec<String>;

/// The modules of one crate and what each names.
#[derive(Debug, Default)]
struct Modules(BTreeMap<Module, Imports>);

/// The modules of every crate.
#[derive(Debug, Default)]
pub(crate) struct Rings(BTreeMap<String, Modules>);

impl Rings {
    /// Takes a file in, if it is a module of a crate that is looked at; every binary under `bin/` is a crate of its own, of
    /// one file.
    pub(crate) fn see(&mut self, file: &SourceFile<'_>) {
        let Some((folder, path)) = file.path().strip_suffix(".rs").and_then(|path| path.split_once("/src/")) else {
            return;
        };
        if path.starts_with("bin/") {
            return;
        }
        let name = folder.rsplit('/').next().unwrap_or(folder);
        let module = match path {
            "lib" | "main" => Module::new(),
            path => path.split('/').map(str::to_owned).collect(),
        };
        self.0.entry(name.to_owned()).or_default().0.insert(module, Imports::read(file.text()));
    }

    /// Every ring that the ratchet does not except.
    pub(crate) fn faults(&self, ratchet: &mut Ratchet) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, modules) in &self.0 {
            let mut arrows = modules.arrows();
            if name == ACCEPTANCE {
                arrows.iter_mut().for_each(|(from, to)| to.retain(|target| !from.starts_with(target)));
            }
            for ring in rings(&arrows) {
                let names: Vec<String> = ring.iter().map(shown).collect();
                if ratchet.excepts_ring(name, &names) {
                    continue;
                }
                let within: Vec<String> =
                    ring.iter().map(|module| shown_arrows(module, &arrows[module], &ring)).collect();
                faults.push(format!(
                    "{name}: {} modules import each other in a ring: {}; move what they share to a file of its own",
                    ring.len(),
                    within.join("; "),
                ));
            }
        }
        faults
    }
}

fn shown(module: &Module) -> String {
    if module.is_empty() { "crate".to_owned() } else { module.join("::") }
}

fn shown_arrows(from: &Module, to: &BTreeSet<Module>, ring: &BTreeSet<Module>) -> String {
    let to: Vec<String> = to.intersection(ring).map(shown).collect();
    format!("`{}` → `{}`", shown(from), to.join("`, `"))
}

/// The sets of more than one module that reach each other, each once.
fn rings(arrows: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<BTreeSet<Module>> {
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        arrows.keys().map(|module| (module, reachable(module, arrows))).collect();
    let ring = |module: &Module| -> BTreeSet<Module> {
        reached[module].iter().filter(|other| reached[*other].contains(module)).map(|other| (*other).clone()).collect()
    };
    arrows.keys().map(ring).filter(|ring| ring.len() > 1).collect()
}

/// Everything that the arrows lead to from `start`; `start` itself only if they lead back.
fn reachable<'a>(start: &Module, arrows: &'a BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<&'a Module> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&Module> = arrows[start].iter().collect();
    while let Some(module) = next.pop() {
        if found.insert(module) {
            next.extend(&arrows[module]);
        }
    }
    found
}

impl Modules {
    /// From each module of production code to those it names.
    fn arrows(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let production = self.0.keys().filter(|module| !self.is_test(module));
        production.map(|module| (module.clone(), self.arrows_of(module))).collect()
    }

    /// Whether the module, or one above it, is declared under `#[cfg(test)]`.
    fn is_test(&self, module: &[String]) -> bool {
        (1..=module.len()).any(|length| {
            let (name, parent) = (&module[length - 1], &module[..length - 1]);
            self.0.get(parent).is_some_and(|parent| parent.test_modules.contains(name))
        })
    }

    fn arrows_of(&self, module: &Module) -> BTreeSet<Module> {
        let imports = &self.0[module];
        let uses = imports.uses.iter().filter(|import| !self.re_exports_child(module, import));
        uses.map(|import| &import.path)
            .chain(&imports.paths)
            .filter_map(|path| self.resolve(module, path, STEPS_MAX).home())
            .filter(|target| target != module && self.0.contains_key(target) && !self.is_test(target))
            .collect()
    }

    /// Whether it is `pub use child::Thing`, at any depth, of something that the module itself does not use.
    fn re_exports_child(&self, module: &Module, import: &Import) -> bool {
        if import.name.as_ref().is_some_and(|name| self.0[module].is_used(name)) {
            return false;
        }
        let home = if import.name.is_some() {
            import.path.split_last().map_or(&[][..], |(_, home)| home)
        } else {
            &import.path
        };
        import.exported
            && self
                .resolve(module, home, STEPS_MAX)
                .home()
                .is_some_and(|home| home.len() > module.len() && home.starts_with(module))
    }

    /// What `path` names in `module`.
    fn resolve(&self, module: &Module, path: &[String], steps: usize) -> Found {
        let mut here = match path.first().map(String::as_str) {
            Some("crate") => Module::new(),
            _ => module.clone(),
        };
        for (at, segment) in path.iter().enumerate() {
            let found = match segment.as_str() {
                "crate" | "self" => continue,
                "super" => {
                    here.pop();
                    continue;
                }
                name => self.look_up(&here, name, at + 1 == path.len(), steps),
            };
            match found {
                Some(Found::Module(child)) => here = child,
                Some(found) => return found,
                // Names that nobody here defines begin the paths of other crates; further on, a macro made them.
                None if at == 0 => return Found::Outside,
                None => return Found::Item(here),
            }
        }
        Found::Module(here)
    }

    /// What `name` is in `module`; of an item and a module of one name, the last segment of a path means the item.
    fn look_up(&self, module: &Module, name: &str, is_last: bool, steps: usize) -> Option<Found> {
        let steps = steps.checked_sub(1)?;
        let imports = self.0.get(module)?;
        let mut child = module.clone();
        child.push(name.to_owned());
        let child = self.0.contains_key(&child).then_some(Found::Module(child));
        if child.is_some() && !is_last {
            return child;
        }
        if imports.defined.contains(name) {
            return Some(Found::Item(module.clone()));
        }
        let mut by_name = imports.uses.iter().filter(|import| import.name.as_deref() == Some(name));
        if let Some(import) = by_name.next() {
            return Some(self.resolve(module, &import.path, steps));
        }
        let globs = imports.uses.iter().filter(|import| import.name.is_none());
        let in_globs = globs.filter_map(|import| match self.resolve(module, &import.path, steps) {
            Found::Module(home) => self.look_up(&home, name, is_last, steps),
            Found::Item(_) | Found::Outside => None,
        });
        child.or_else(|| in_globs.into_iter().next())
    }
}

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// A module of this crate.
    Module(Module),
    /// Something in a module of this crate.
    Item(Module),
    /// Another crate, or something of it.
    Outside,
}

impl Found {
    /// The module it lives in.
    fn home(self) -> Option<Module> {
        match self {
            Self::Module(module) | Self::Item(module) => Some(module),
            Self::Outside => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn faults_with(ratchet: &str, files: &[(&str, &str)]) -> Vec<String> {
        let mut ratchet = Ratchet::parse(ratchet).unwrap();
        let mut rings = Rings::default();
        for (path, text) in [("lib", "")].iter().chain(files) {
            rings.see(&SourceFile::new(Path::new(&format!("crates/a/src/{path}.rs")), text));
        }
        let mut faults = rings.faults(&mut ratchet);
        faults.extend(ratchet.leftovers());
        faults
    }

    fn faults(files: &[(&str, &str)]) -> Vec<String> {
        faults_with("", files)
    }

    #[test]
    fn a_ring_is_found_and_shown_with_its_arrows() {
        let found = faults(&[
            ("lib", "mod b; mod c; mod d;"),
            ("b", "use crate::c::C;"),
            ("c", "fn c() { super::d::D; }"),
            ("d", "use super::b; use super::e;"),
            ("e", ""),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("a: 3 modules"), "{found:?}");
        assert!(found[0].contains("`b` → `c`; `c` → `d`; `d` → `b`;"), "{found:?}");
    }

    #[test]
    fn a_row_may_use_what_stands_beside_the_table_that_lists_it_and_no_other_row_that_uses_it() {
        let among = |files: &[(&str, &str)]| {
            let mut rings = Rings::default();
            for (path, text) in files {
                rings.see(&SourceFile::new(Path::new(&format!("tests/src/{path}.rs")), text));
            }
            rings.faults(&mut Ratchet::default())
        };
        let table = ("rows", "mod a; mod b; pub fn rows() { a::run(); b::run(); } pub fn shared() {}");
        let a = ("rows/a", "use super::shared; pub fn run() { shared(); super::b::run() }");
        assert_eq!(among(&[("lib", "mod rows;"), table, a, ("rows/b", "use super::shared; pub fn run() {}")]), [""; 0]);
        let back = ("rows/b", "pub fn run() { super::a::run() }");
        assert_eq!(among(&[("lib", "mod rows;"), table, a, back]).len(), 1);
    }

    #[test]
    fn arrows_one_way_are_no_ring() {
        assert!(faults(&[("b", "use crate::c::C; use crate::d::D;"), ("c", "use crate::d::D;"), ("d", "")]).is_empty());
    }

    #[test]
    fn a_parent_may_declare_and_re_export_what_uses_it() {
        let child = ("b/c", "use super::B; pub struct C;");
        assert!(faults(&[("b", "mod c; pub use c::C; pub struct B;"), child]).is_empty());
        assert!(faults(&[("b", "mod c; pub(crate) use c::*; pub struct B;"), child]).is_empty());
        assert_eq!(faults(&[("b", "mod c; pub use c::C; pub struct B(C);"), child]).len(), 1);
        assert_eq!(faults(&[("b", "mod c; pub use c::C; pub struct B; fn d() { C::new() }"), child]).len(), 1);
        assert_eq!(faults(&[("b", "mod c; use c::C; pub struct B;"), child]).len(), 1);
        assert_eq!(faults(&[("b", "mod c; pub struct B(c::C);"), child]).len(), 1);
    }

    #[test]
    fn a_child_may_be_named_for_the_function_that_its_parent_re_exports() {
        let files = [("b", "mod c; pub use c::{C, c}; pub struct B;"), ("b/c", "use super::B; pub fn c() {}")];
        assert!(faults(&files).is_empty());
    }

    #[test]
    fn a_re_export_leads_to_what_it_exports() {
        // By way of the root, and renamed.
        let root = ("lib", "mod b; mod c; pub use c::C as See;");
        assert_eq!(
            faults(&[root, ("b", "use crate::See; pub struct B;"), ("c", "use crate::b::B; pub struct C;")]).len(),
            1
        );
        // `d` asks the parent for what its sibling defines.
        let parent = ("b", "mod c; mod d; pub use c::C; use d::D;");
        assert!(faults(&[parent, ("b/c", "pub struct C;"), ("b/d", "use super::C; pub struct D;")]).is_empty());
    }

    #[test]
    fn an_import_of_another_crate_is_no_arrow() {
        let parent = ("b", "mod c; use bytes::Bytes; use c::C;");
        assert!(
            faults(&[parent, ("b/c", "use super::Bytes; use tar::T; pub struct C;"), ("tar", "use crate::b;")])
                .is_empty()
        );
    }

    #[test]
    fn names_that_import_each_other_end() {
        assert_eq!(
            faults(&[
                ("b", "pub use super::c::X; pub use super::c::*;"),
                ("c", "pub use super::b::X; pub use super::b::*;")
            ])
            .len(),
            1
        );
    }

    #[test]
    fn tests_make_no_ring() {
        let source = "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nuse crate::c::C;\npub struct B;";
        assert!(
            faults(&[("b", source), ("b/tests", "use super::B; use crate::c::C;"), ("c", "use crate::b::B;")])
                .is_empty()
        );
    }

    #[test]
    fn the_ratchet_excepts_small_rings_by_name() {
        let files = [("b", "use crate::c::C;"), ("c", "use crate::b::B;")];
        assert!(faults_with("ring a b c # one grammar in two files", &files).is_empty());
        // One line for the ring that is there, one for the exception that nothing needs.
        assert_eq!(faults_with("ring a b d # gone", &files).len(), 2);
        assert_eq!(faults_with("ring z b c # of another crate", &files).len(), 2);
    }

    #[test]
    fn every_binary_stands_alone() {
        assert!(faults(&[("bin/x", "use crate::bin::y;"), ("bin/y", "use crate::bin::x;")]).is_empty());
    }
}
