"""Short forms of first names, as receptionists and patients use them in English-speaking countries."""

from __future__ import annotations

from collections import defaultdict

#: One group a line: any two names of a line may be one person's. A name may stand in several lines.
_GROUPS = """
abigail abby abbie gail
alan allan allen al
albert bert al bertie
alexander alex xander sandy alec alasdair alistair
alexandra alex sandra lexi sandy alexa
alfred alf fred alfie
alison ali
amanda mandy
andrew andy drew
angela angie
ann anne anna annie nan
anthony tony ant antony
antonio tony
arthur art
barbara barb babs
benjamin ben benny
bernard bernie
beverley bev beverly
bradley brad
bridget bridie biddy
cameron cam
caroline carol carrie caro
catherine cath cathy cate kate katie kathy kath katherine kathryn kathleen kit kitty cat katharine
charles charlie chuck chas
charlotte charlie lottie
christina chris tina christine chrissie christie kristina kristin kirsty
christopher chris kit
clifford cliff
constance connie
cornelius con neil
daniel dan danny
david dave davy
deborah deb debbie debra
denise den
desmond des
diane di dianne diana
donald don donnie
dorothy dot dottie
douglas doug
edward ed eddie ted ned teddy
eleanor ellie nell nora
elizabeth liz beth lizzie betty eliza elise elisabeth libby betsy bess lisa bette
emily em emmy
eoin owen
ernest ernie
eugene gene
evelyn eve evie
florence flo florrie
frances fran francie frankie
francis frank frankie
franklin frank
frederick fred freddie freddy
gabriel gabe
gabrielle gabby
gareth gary
geoffrey geoff jeff jeffrey
george georgie
georgina georgie gina
gerald gerry jerry
gerard gerry ger
graham graeme
gregory greg
gwendoline gwen
harold harry hal
harriet hattie
helen nell ellen helena
henry harry hank hal
hugh hughie
ian iain
imogen immy
isabella bella izzy isabel isabelle issy
jacqueline jackie jacqui
jacob jake
james jim jimmy jamie
jane janie jean
janet jan
jennifer jen jenny jenna
jeremy jerry jez
jessica jess jessie
jill gillian gill jillian
joanna jo joanne joan
john jack johnny jon jonny
jonathan jon jonny john
joseph joe joey
josephine jo josie
joshua josh
joyce joy
judith judy jude
julia julie jules
kenneth ken kenny
kimberley kim
laurence laurie larry lawrence
leonard len leo lenny
leslie les lesley
lillian lily lil
louis lou lewis
louise lou
lucinda lucy
lynette lyn lynne lynn
madeleine maddie madeline maddy
malcolm mal
margaret maggie marg peggy meg greta marge margie rita
maria mary marie mia
martin marty
matthew matt matty
maureen mo
maxwell max
megan meg
melanie mel
melissa mel lissa
michael mike mick mickey micky
michelle shell chelle
mildred millie
mohammed mohamed muhammad mohammad mo
monica mon
natalie nat
nathan nat nathaniel nate
neville nev
nicholas nick nicky nico
nicola nicky nic nicole
oliver ollie
olivia liv livvy
pamela pam
patricia pat trish patty tricia
patrick pat paddy
penelope penny
peter pete
philip phil phillip
philippa pip pippa
phyllis phyl
rachel rach rachael
raymond ray
rebecca bec becky becca
reginald reg
richard rick dick rich richie ricky
robert bob rob bobby robbie bert robin
roderick rod rory
rodney rod
ronald ron ronnie
rosemary rose rosie
russell russ
samantha sam sammy
samuel sam sammy
sarah sally sadie sara
sean shaun shane shawn
sebastian seb
sharon shaz
siobhan shivaun
stanley stan
stephanie steph
stephen steve steven ste stevie
stuart stewart stu
susan sue susie suzanne suzie susannah
sylvia sylvie
tamara tammy
terence terry
teresa terry theresa tess tessa
thaddeus ted
theodore ted theo teddy
thomas tom tommy
timothy tim timmy
valerie val
veronica ronnie vera
victor vic
victoria vicky tori vicki
vincent vince vinnie
virginia ginny
vivienne viv vivian
walter wally walt
wilfred wilf
william bill will billy willy liam
winifred win winnie
zachary zac zach zack
"""

_OF: defaultdict[str, set[str]] = defaultdict(set)
for _line in _GROUPS.splitlines():
    for _name in _line.split():
        _OF[_name].update(_line.split())


def one_of_the_other(one: str, two: str) -> bool:
    """Return whether one name is a usual short form of the other, or both of a third; lower case, no accents."""
    return two in _OF.get(one, ())
