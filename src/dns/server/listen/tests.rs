use super::*;
use crate::challenge::{Name, Value};
use std::io::{Read, Write};

/// `_acme-challenge.example.com TXT`, id 7.
const QUERY: &[u8] = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x0f_acme-challenge\x07example\x03com\0\0\x10\0\x01";

const GENEROUS: Duration = Duration::from_secs(20);

/// Serves 20 values, too many for a datagram without EDNS.
fn server(addresses: &[&str]) -> Vec<SocketAddr> {
    server_with(addresses, 20, u32::MAX)
}

fn server_with(addresses: &[&str], count: usize, rate: u32) -> Vec<SocketAddr> {
    let addresses: Vec<_> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let listener = Listener::bind(&addresses).unwrap();
    let bound = listener.addresses().unwrap();
    let values = move |_: &Name| (0..count).map(|n| Value::parse(&format!("{n:043}")).unwrap()).collect();
    listener.serve(Zones::new(&[Name::owner("example.com").unwrap()], None, &[], Vec::new(), values), rate).unwrap();
    bound
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    stream
}

fn ask(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    stream::write(stream, QUERY, Deadline::after(GENEROUS))?;
    stream::read(stream, 65535, Deadline::after(GENEROUS))
}

#[test]
fn udp_and_tcp_answer_on_the_same_port_of_each_address() {
    let bound = server(&["127.0.0.1:0", "127.0.0.1:0"]);
    assert!(bound.iter().all(|address| address.port() != 0) && bound[0] != bound[1], "{bound:?}");
    for address in bound {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(GENEROUS)).unwrap();
        // Neither a scrap nor an answer is answered, and neither stops the server.
        for packet in [&b"scrap"[..], b"\0\x07\x81\0\0\0\0\0\0\0\0\0", QUERY] {
            socket.send_to(packet, address).unwrap();
        }
        let mut packet = [0; 4096];
        let (length, from) = socket.recv_from(&mut packet).unwrap();
        assert_eq!((from, &packet[..12]), (address, &b"\0\x07\x87\0\0\x01\0\0\0\0\0\0"[..]), "cut short");
        assert_eq!(length, QUERY.len());
        let answer = ask(&mut connect(address)).unwrap();
        assert_eq!(answer[..12], b"\0\x07\x85\0\0\x01\0\x14\0\0\0\0"[..], "whole");
    }
}

#[test]
fn one_tcp_connection_asks_again_and_again_and_in_pieces() {
    let mut stream = connect(server(&["127.0.0.1:0"])[0]);
    let answer = ask(&mut stream).unwrap();
    assert_eq!(ask(&mut stream).unwrap(), answer);
    for octet in [&[0, QUERY.len() as u8], QUERY].concat() {
        stream.write_all(&[octet]).unwrap();
    }
    assert_eq!(stream::read(&mut stream, 65535, Deadline::after(GENEROUS)).unwrap(), answer);
}

#[test]
fn a_connection_that_says_too_much_or_nothing_sensible_is_closed() {
    let address = server(&["127.0.0.1:0"])[0];
    for sent in [&b"\x10\x01"[..], b"\0\x05scrap", b"\0\x0c\0\x07\x81\0\0\0\0\0\0\0\0\0", b"\0\0"] {
        let mut stream = connect(address);
        stream.write_all(sent).unwrap();
        assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0, "{sent:?}");
    }
}

/// Else it would keep its place for as long as a connection may live at all.
#[test]
fn who_asks_nothing_more_is_closed_long_before_its_life_is_over() {
    assert!(2 * IDLE < LIFE);
    let address = server(&["127.0.0.1:0"])[0];
    let mut streams = [connect(address), connect(address), connect(address)];
    ask(&mut streams[0]).unwrap();
    streams[1].write_all(&[0, QUERY.len() as u8]).unwrap();
    let began = Instant::now();
    streams.iter_mut().for_each(|stream| assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0));
    assert!(began.elapsed() < LIFE, "{:?}", began.elapsed());
}

#[test]
fn connections_are_bounded_and_their_places_come_free_again() {
    let address = server(&["127.0.0.1:0"])[0];
    let mut held: Vec<_> = (0..CONNECTIONS).map(|_| connect(address)).collect();
    held.iter_mut().for_each(|stream| drop(ask(stream).unwrap()));
    assert!(ask(&mut connect(address)).is_err(), "one more is closed at once");
    drop(held);
    let served = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(10));
        ask(&mut connect(address)).is_ok()
    });
    assert!(served);
}

#[test]
fn a_taken_address_is_named_with_its_remedy() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let text = Listener::bind(&[taken]).err().unwrap().to_string();
    assert!(text.contains(&taken.to_string()) && text.contains("choose another address or port"), "{text}");
    let text = Listener::bind(&["192.0.2.1:0".parse().unwrap()]).err().unwrap().to_string();
    assert!(text.contains("192.0.2.1:0") && text.contains("no interface"), "{text}");
}

#[test]
fn past_its_rate_a_network_is_sent_to_tcp_and_found_there() {
    // No answer at all is in the rate: however the seconds fall, every second query is cut.
    let address = server_with(&["127.0.0.1:0"], 1, 0)[0];
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(GENEROUS)).unwrap();
    let mut packet = [0; 4096];
    for _ in 0..4 {
        socket.send_to(QUERY, address).unwrap();
        socket.send_to(QUERY, address).unwrap();
        let length = socket.recv(&mut packet).unwrap();
        assert_eq!((length, &packet[..12]), (QUERY.len(), &b"\0\x07\x87\0\0\x01\0\0\0\0\0\0"[..]));
    }
    assert_eq!(ask(&mut connect(address)).unwrap()[..12], b"\0\x07\x85\0\0\x01\0\x01\0\0\0\0"[..], "whole");
}
