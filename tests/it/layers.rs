//! The layers of `docs/architecture.md`: the product code of a layer imports only from the layers that its row
//! of the table names, and the files of a layer do not import from each other in a circle.

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use imports::{Import, imports, test_modules};
use rstest::rstest;

/// Imports that the table forbids and that exist: the layer, and what it imports.
const ALLOWED: &[(&str, &str)] = &[];

/// Modules that are no layers.
const HELPERS: &[&str] = &["sim", "testing"];

/// Layers whose files may still import from each other in a circle.
const WITH_CIRCLES: &[&str] = &["sim", "transport"];

type Graph = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The table of the page: each layer, and the layers that it may import from.
fn table(page: &str) -> Vec<(String, BTreeSet<String>)> {
    let rows = page.lines().skip_while(|line| !line.starts_with("| layer | imports |"));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|')).map(|row| {
        let mut cells = row.split('|').map(str::trim);
        let layer = cells.nth(1).unwrap().to_owned();
        let names = cells.next().unwrap().split([',', ' ']).filter(|name| !name.is_empty());
        (layer, names.map(ToOwned::to_owned).collect())
    });
    rows.collect()
}

/// A file of product code: its module path, and its imports.
struct File {
    module: Vec<String>,
    imports: Vec<Import>,
}

/// The product code of the crate, without the root.
fn files() -> Vec<File> {
    let mut files = Vec::new();
    visit(&root().join("src"), &[], &BTreeSet::new(), &mut files);
    files
}

fn visit(folder: &Path, parent: &[String], tests: &BTreeSet<String>, files: &mut Vec<File>) {
    let mut sources: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    sources.sort();
    for path in sources {
        let name = path.file_stem().unwrap().to_str().unwrap();
        if tests.contains(name) || name == "lib" {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let module: Vec<_> = parent.iter().cloned().chain([name.to_owned()]).collect();
        let below = folder.join(name);
        if below.is_dir() {
            visit(&below, &module, &test_modules(&source), files);
        }
        files.push(File { imports: imports(&module, &source), module });
    }
}

/// The module in which each name is defined that a module re-exports from its children.
fn reexports(imports: &[Import], depth: usize) -> BTreeMap<String, String> {
    let children = imports.iter().filter(|import| import.is_reexport && import.path.len() > depth + 1);
    children.map(|import| (import.path.last().unwrap().clone(), import.path[depth].clone())).collect()
}

/// The layers from which the files of each layer import.
fn layers(files: &[File], root: &[Import]) -> Graph {
    let reexports = reexports(root, 0);
    let mut graph = Graph::new();
    for file in files {
        let layer = &file.module[0];
        let edges = graph.entry(layer.clone()).or_default();
        let names = file.imports.iter().map(|import| &import.path[0]);
        edges.extend(
            names.map(|name| reexports.get(name).unwrap_or(name)).filter(|name| *name != layer).cloned(),
        );
    }
    graph
}

/// The files of a layer, each with its folder, and which of the others they import from. The file of the layer
/// itself has the name of the layer.
fn siblings(files: &[File], layer: &str) -> Graph {
    let of_layer = |file: &&File| file.module[0] == layer;
    let parent = files.iter().filter(of_layer).find(|file| file.module.len() == 1).unwrap();
    let reexports = reexports(&parent.imports, 1);
    let unit = |path: &[String]| path.get(1).cloned().unwrap_or_else(|| layer.to_owned());
    let units: BTreeSet<_> = files.iter().filter(of_layer).map(|file| unit(&file.module)).collect();
    let mut graph: Graph = units.iter().map(|unit| (unit.clone(), BTreeSet::new())).collect();
    for file in files.iter().filter(of_layer) {
        let own = unit(&file.module);
        let inner = file.imports.iter().filter(|import| import.path[0] == layer);
        // The parent only passes on what it re-exports.
        for import in inner.filter(|import| !(import.is_reexport && own == layer)) {
            let name = unit(&import.path);
            let target = match reexports.get(&name) {
                Some(target) => target.clone(),
                None if units.contains(&name) => name,
                // Defined in the parent.
                None => layer.to_owned(),
            };
            if target != own {
                graph.entry(own.clone()).or_default().insert(target);
            }
        }
    }
    graph
}

/// The nodes of a graph from which a path leads back to them.
fn circles(graph: &Graph) -> BTreeSet<String> {
    let returns = |start: &String| {
        let mut seen = BTreeSet::new();
        let mut next = vec![start];
        while let Some(name) = next.pop() {
            for target in graph.get(name).into_iter().flatten() {
                if target == start {
                    return true;
                }
                if seen.insert(target) {
                    next.push(target);
                }
            }
        }
        false
    };
    graph.keys().filter(|name| returns(name)).cloned().collect()
}

/// The imports that the table does not name.
fn forbidden(table: &[(String, BTreeSet<String>)], graph: &Graph) -> Vec<(String, String)> {
    let edges = table.iter().flat_map(|(layer, allowed)| {
        let found = graph.get(layer).into_iter().flatten();
        // A name that is no layer is of another crate, or a macro.
        let layers = found.filter(|target| table.iter().any(|(layer, _)| layer == *target));
        layers.filter(|target| !allowed.contains(*target)).map(|target| (layer.clone(), target.clone()))
    });
    edges.collect()
}

#[test]
fn a_layer_imports_what_its_row_names() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let table = table(&page);
    let source = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let graph = layers(&files(), &imports(&[], &source));
    // The names of the rows are those of the modules.
    for (layer, _) in &table {
        assert!(graph.contains_key(layer), "no module {layer}");
    }
    for module in graph.keys().filter(|module| !HELPERS.contains(&module.as_str())) {
        assert!(table.iter().any(|(layer, _)| layer == module), "no row for {module}");
    }
    // A row names only layers above itself in the table, so that the table has no circle.
    for (index, (layer, allowed)) in table.iter().enumerate() {
        let below: BTreeSet<_> = table[..index].iter().map(|(layer, _)| layer.clone()).collect();
        assert!(allowed.is_subset(&below), "{layer} may import from {allowed:?}");
    }
    let allowed: Vec<_> = ALLOWED.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
    let found: Vec<_> =
        forbidden(&table, &graph).into_iter().filter(|edge| !allowed.contains(edge)).collect();
    assert_eq!(found, [], "forbidden imports");
    // What a row names, the layer imports.
    for (layer, allowed) in &table {
        assert_eq!(allowed.difference(&graph[layer]).collect::<Vec<_>>(), [""; 0], "{layer} does not import");
    }
}

#[test]
fn the_files_of_a_layer_have_no_circle() {
    let files = files();
    let layers: BTreeSet<_> = files.iter().map(|file| file.module[0].clone()).collect();
    for layer in layers {
        let graph = siblings(&files, &layer);
        let found = circles(&graph);
        println!("{layer}: {} of {} files are in circles: {found:?}", found.len(), graph.len());
        let edges: Vec<_> = graph.iter().filter(|(name, _)| found.contains(*name)).collect();
        assert!(found.is_empty() || WITH_CIRCLES.contains(&layer.as_str()), "circles in {layer}: {edges:#?}");
    }
}

#[test]
fn an_import_of_a_layer_above_is_found() {
    let page = "\n| layer | imports | may know |\n| --- | --- | --- |\n| low | | x |\n| high | low | y |\n\n| a | b |";
    let table = table(page);
    assert_eq!(table, [("low".to_owned(), [].into()), ("high".to_owned(), ["low".to_owned()].into())]);
    let file = |module: &str, source| {
        let module = vec![module.to_owned()];
        File { imports: imports(&module, source), module }
    };
    let root = imports(&[], "mod low; mod high; pub use high::{Far, Near};");
    let of = |source| {
        forbidden(&table, &layers(&[file("low", source), file("high", "use crate::low::X;")], &root))
    };
    assert_eq!(of("use crate::low::own::X; use std::fmt; use crate::Unknown;"), []);
    for source in ["use crate::high::X;", "fn f() -> crate::Near {}", "use super::{high, low};"] {
        assert_eq!(of(source), [("low".to_owned(), "high".to_owned())], "{source}");
    }
}

#[rstest]
#[case::of_two("use super::b::B;", "use super::super::a::A;", "", &["a", "b"])]
#[case::through_a_reexport("use super::B;", "use crate::x::A;", "pub use a::A; pub use b::B;", &["a", "b"])]
#[case::with_the_parent("use super::X;", "", "use a::A; struct X(A);", &["a", "x"])]
#[case::none("use super::b::B; use super::X;", "use super::X;", "pub use a::A; struct X;", &[])]
fn a_circle_of_files_is_found(
    #[case] a: &str,
    #[case] b: &str,
    #[case] parent: &str,
    #[case] found: &[&str],
) {
    let file = |module: &[&str], source: &str| {
        let module: Vec<_> = module.iter().map(|name| (*name).to_owned()).collect();
        File { imports: imports(&module, source), module }
    };
    let parent = format!("mod a; mod b; {parent}");
    let files = [file(&["x"], &parent), file(&["x", "a"], a), file(&["x", "b", "inner"], b)];
    assert_eq!(circles(&siblings(&files, "x")).into_iter().collect::<Vec<_>>(), found);
}
