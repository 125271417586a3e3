//! Who gets a place, and who has to go, in turn and in any order.

use super::*;
use crate::random::property;
use std::io::Read;
use std::net::TcpListener;

fn connection() -> (Arc<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_nonblocking(true).unwrap();
    (Arc::new(listener.accept().unwrap().0), client)
}

fn seats(connections: usize, in_flight: usize) -> Arc<Seats> {
    let (unfinished_each, in_flight_each) = (connections / 2, in_flight / 2);
    Seats::new(Capacity { connections, unfinished_each, in_flight, in_flight_each })
}

/// Lets connections of these households in, one after the other, and says which were sent away
/// again. Number 0 is a trusted proxy.
fn sent_away(seats: &Arc<Seats>, households: &[u8]) -> Vec<usize> {
    let connections: Vec<_> = households.iter().map(|_| connection()).collect();
    let enter = |((socket, _), household): (&(Arc<TcpStream>, _), &u8)| {
        seats.take(socket, address(*household)).expect("a seat").0
    };
    let _seats: Vec<_> = connections.iter().zip(households).map(enter).collect();
    let is_closed = |index: &usize| matches!((&connections[*index].1).read(&mut [0]), Ok(0));
    (0..households.len()).filter(is_closed).collect()
}

fn address(household: u8) -> Household {
    (household != 0).then(|| IpAddr::from([192, 0, 2, household]))
}

#[test]
fn the_engine_never_lacks_a_file_however_few_there_are() {
    for files in (64..3000).chain([1 << 20, u64::MAX]) {
        let capacity = Capacity::for_files(files).unwrap();
        let most = capacity.connections + LEAVING + FILES_IN_FLIGHT * capacity.in_flight;
        // Standard streams, listening sockets of both services, signals, the engine's; a program's pipes.
        let other = 12 + 8;
        assert!((most + other) as u64 <= files, "{files}: {capacity:?}");
        assert!(capacity.in_flight < capacity.connections && capacity.in_flight_each > 0, "{files}: {capacity:?}");
    }
    let shown = |files| Capacity::for_files(files).map(|it| (it.connections, it.in_flight, it.in_flight_each));
    assert_eq!(
        [63, 64, 1024, 1 << 20].map(shown),
        [None, Some((12, 4, 2)), Some((336, 112, 32)), Some((384, 256, 32))]
    );
}

#[test]
fn when_full_the_household_with_the_most_unfinished_loses_its_oldest() {
    assert_eq!(sent_away(&seats(6, 2), &[1, 2, 2, 2, 1, 5]), [0; 0]);
    assert_eq!(sent_away(&seats(6, 2), &[1, 2, 2, 2, 1, 5, 3]), [1]);
    assert_eq!(sent_away(&seats(6, 2), &[1, 2, 2, 1, 2, 1, 3]), [0], "among equals the oldest");
    assert_eq!(sent_away(&seats(6, 2), &[1, 2, 2, 2, 1, 5, 3, 4]), [0, 1]);
}

#[test]
fn a_household_has_at_most_half_of_the_places_and_then_loses_its_own() {
    assert_eq!(sent_away(&seats(8, 2), &[1, 2, 2, 2, 2, 2, 2]), [1, 2]);
}

#[test]
fn connections_of_a_proxy_are_of_many_households() {
    assert_eq!(sent_away(&seats(6, 2), &[0, 0, 0, 0, 1, 1, 0]), [4]);
    assert_eq!(sent_away(&seats(4, 2), &[0, 0, 0, 0, 0]), [0]);
}

#[test]
fn who_is_sent_away_counts_until_it_has_left() {
    let seats = seats(20, 2);
    let connections: Vec<_> = (0..20 + LEAVING).map(|_| connection()).collect();
    let enter = |(index, (socket, _)): (usize, &(Arc<TcpStream>, _))| {
        assert!(seats.let_in());
        seats.take(socket, address(index as u8 + 1)).unwrap()
    };
    let (mut taken, leavers): (Vec<_>, Vec<_>) = connections.iter().enumerate().map(enter).unzip();
    assert_eq!(leavers.into_iter().flatten().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8], "the oldest in turn");
    assert!(!seats.let_in() && seats.take(&connections[0].0, address(2)).is_none());
    taken.remove(0);
    assert!(seats.let_in() && seats.take(&connections[0].0, address(2)).is_some());
}

#[test]
fn a_household_that_has_all_it_may_have_leaves_others_the_room_to_come_in() {
    let seats = seats(20, 2);
    let connections: Vec<_> = (0..30).map(|_| connection()).collect();
    let taken: Vec<_> = connections.iter().map_while(|(socket, _)| seats.take(socket, address(1))).collect();
    assert_eq!(taken.len(), 20 / 2 + LEAVING / 2);
    assert!(seats.let_in(), "its own are still leaving");
    assert_eq!(seats.take(&connections[29].0, address(2)).map(|(_, leaver)| leaver), Some(None));
}

#[test]
fn what_is_counted_is_what_is_there() {
    property(|random| {
        let seats = seats(6, 4);
        let mut taken: Vec<Seat> = Vec::new();
        let (socket, _client) = connection();
        for _ in 0..random.below(60) {
            match random.below(4) {
                0 if !taken.is_empty() => drop(taken.swap_remove(random.below(taken.len()))),
                1 if !taken.is_empty() => drop(taken[random.below(taken.len())].serve()),
                _ => taken.extend(seats.take(&socket, address(random.below(4) as u8)).map(|(seat, _)| seat)),
            }
            let held = seats.taken();
            let count = |state| held.seats.values().filter(|sitting| sitting.state == state).count();
            assert_eq!((held.in_flight, held.leaving), (count(State::InFlight), count(State::Leaving)));
            assert_eq!(held.households.values().map(|own| own.in_flight).sum::<usize>(), held.in_flight);
            let unfinished = held.households.values().map(|own| own.unfinished.len()).sum::<usize>();
            assert_eq!(unfinished, count(State::Unfinished));
            assert!(held.seats.len() - held.leaving <= 6 && held.leaving <= LEAVING);
        }
    });
}

#[test]
fn what_is_in_flight_stays_and_is_bounded_for_each_and_for_all() {
    let seats = seats(6, 4);
    let connections: Vec<_> = (0..10).map(|_| connection()).collect();
    let take = |index: usize, household| seats.take(&connections[index].0, address(household)).unwrap().0;
    let (first, second, third) = (take(0, 1), take(1, 1), take(2, 1));
    assert_eq!([&first, &second, &third].map(Seat::serve), [Ok(()), Ok(()), Err(Busy::Household)]);
    let (proxy, another, other) = (take(3, 0), take(4, 0), take(5, 3));
    assert_eq!([&proxy, &another, &other].map(Seat::serve), [Ok(()), Ok(()), Err(Busy::Everybody)]);
    let late: Vec<_> = (6..10).map(|index| take(index, 4)).collect();
    let is_open = |index: usize| (&connections[index].1).read(&mut [0]).is_err();
    assert_eq!([0, 1, 3, 4].map(is_open), [true; 4], "nobody in flight is sent away");
    assert_eq!(seats.in_flight(), 4);
    drop(first);
    assert_eq!(third.serve(), Err(Busy::Everybody), "it was sent away");
    assert_eq!(late[3].serve(), Ok(()));
}
