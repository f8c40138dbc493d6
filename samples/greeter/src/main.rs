//! Greets whoever is named on the command line, as JSON.

fn main() {
    let name = std::env::args().nth(1).unwrap_or_else(|| "world".to_owned());
    let person = greeter::Person { name };
    println!("{}", serde_json::json!({ "greeting": greeter::greet(&person), "to": person }));
}
