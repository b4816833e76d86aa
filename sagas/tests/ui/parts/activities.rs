#[derive(Serialize, Deserialize)]
struct Trip;
#[derive(Serialize, Deserialize)]
struct Hold;
#[derive(Serialize, Deserialize)]
struct Release;
#[derive(Serialize, Deserialize)]
struct Word;

impl palinode::Activity for Hold {
    const NAME: &'static str = "hold";
    type Reply = ();
    type Undo = Release;
}
impl palinode::Activity for Release {
    const NAME: &'static str = "release";
    type Reply = ();
    type Undo = palinode::NoUndo;
}
impl palinode_sagas::Signal for Word {
    const NAME: &'static str = "word";
}
