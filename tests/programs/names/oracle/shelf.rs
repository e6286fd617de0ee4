// The same in Rust: closures, generics, methods of traits.
use std::hint::black_box;

trait Weight {
    fn weigh(&self) -> usize;
}

struct Shelf {
    items: Vec<Box<usize>>,
}

impl Weight for Shelf {
    #[inline(never)]
    fn weigh(&self) -> usize {
        self.items.iter().map(|item| **item % 17).sum()
    }
}

impl Shelf {
    fn put(&mut self, n: usize) {
        self.items.push(Box::new(black_box(n)));
    }
}

#[inline(never)]
fn fill<F: Fn(usize) -> usize>(shelf: &mut Shelf, n: usize, f: F) -> usize {
    for i in 0..n {
        shelf.put(f(i));
    }
    shelf.weigh()
}

fn main() {
    let mut shelf = Shelf { items: Vec::new() };
    let factor = black_box(3);
    let sum = fill(&mut shelf, 20, |i| i * factor) + fill(&mut shelf, 30, |i| i + factor);
    std::process::exit(if sum == 0 { 1 } else { 0 });
}
