# ruff: noqa: E501  (the mails are lines of text)
"""Write tests/bench/personal_data_mails.jsonl: 300 mails of a made-up trust, about half of them near misses.

The texts were written before their author had read the detectors, rules or word lists, and must not be changed to suit
them: a wrong label is corrected with a note in `why`. Two kinds: `hand` are single narratives, `pattern` are variations
of a text with other people, numbers and lay-out (variations of one text are not independent; the figures are printed apart).
All people are invented; numbers come from test and drama ranges (NHS 999…, telephone 01632 960… and 07700 900…),
postcodes from districts that do not exist (LN21 to LN29).

    python tests/bench/write_mails.py > tests/bench/personal_data_mails.jsonl
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

FORENAMES = (
    "Callum Aisha Oliwia Tyrone Poppy Mohammed Siân Niamh Kwame Priya Jayden Zofia Reuben Halima Finlay Tegan Yusuf "
    "Maisie Dominik Ayesha Ruairi Chidi Lowri Ebony Harvey Saoirse Ibrahim Isla Logan Thandiwe"
).split()
SURNAMES = (
    "Pemberton Osei Kowalczyk Begum Hartley-Booth O'Rourke Nwosu Griffiths Akhtar Tranter Birtwistle Mbeki Szymanski "
    "Llewellyn Chowdhury Fairweather McAllister Dhillon Oyelaran Whitcombe Farrukh Stubbs Iqbal Penhaligon Lockwood"
).split()
STREETS = "Tanner's Row,Mill Brow,Abbotsway,Coldharbour Lane,Fennel Close,Station Approach,St Wilfrid's Terrace".split(
    ","
)

OUTSIDERS = (
    "bookings@peakadventure.example",
    "info@snaphappyphotos.example",
    "hello@brightminds-tutors.example",
    "sales@minibushire.example",
    "j.ferris74@gmail.com",
    "accounts@schoolwearshop.example",
    "team@rhinorecruit.example",
    "office@eastvale-athletics.example",
)
STAFF = ("n.abara@thl.example", "c.doyle@thl.example", "p.sandhu@thl.example", "office@thl.example")

# subject, text, why
BREACHES: tuple[tuple[str, str, str], ...] = (
    (
        "Quick heads up",
        "Hi Gemma,\n\nBefore Thursday's session you should know Callum in 9B was excluded last week; his mum is in rehab and he is staying with his nan. Please go gently.\n\nNadia",
        "pupil by first name and class with exclusion and family facts",
    ),
    (
        "Re: Saturday coaching",
        "Tyrone Nwosu won't be fit for a while. He was sectioned on Sunday night and is on the adolescent unit until further notice.\n\nColm",
        "mental health of a named boy to a club",
    ),
    (
        "Transport",
        "Please collect Isla Fairweather from her foster carers in future, not from home. Social services removed her and her brother on Friday.",
        "care status",
    ),
    (
        "Trip numbers",
        "Numbers attached separately. One thing: Reuben Lockwood wets the bed and his carers would like him to have a single room. He takes desmopressin at night.",
        "health of a named pupil",
    ),
    (
        "Tutoring from September",
        "We'd like you to start with Zofia Szymanski (Y8). She has dyscalculia and moderate hearing loss, and her EHCP gives her 15 hours of one to one.",
        "SEN",
    ),
    (
        "Reference for L Tranter",
        "Lesley Tranter worked here from 2019. She left after a settlement agreement that followed two disciplinary warnings for lateness, and had eleven weeks of sickness with depression in her last year.",
        "HR and health of an adult",
    ),
    (
        "Supply cover next week",
        "Cover needed for Mr Whitcombe from Monday. Between us, he has been suspended while an allegation by a Year 10 girl is looked into by the LADO.",
        "allegation against a named member of staff",
    ),
    (
        "Piano lessons",
        "Dominik is stopping lessons. Mum, Agnieszka Kowalczyk, has been made redundant and they can't pay; they are now on free school meals and using the food bank.",
        "family finances",
    ),
    (
        "After school club list",
        "For your register on Monday:\nPoppy Stubbs - nut allergy, EpiPen in bag\nHarvey Iqbal - type 1 diabetic\nMaisie Griffiths - nothing to note\nIbrahim Farrukh - epilepsy, no swimming",
        "medical list in running text",
    ),
    (
        "Your query about the fence",
        "The lad who broke it is Logan Birtwistle. He's already on a behaviour contract and had two days' suspension for it. His father has offered to pay.",
        "behaviour of a named pupil to a neighbour",
    ),
    (
        "RE: incident on the bus",
        "Thank you for the report. The boy who hit the driver was Jayden Mbeki, Year 11. Police have cautioned him for common assault and he will be on a managed move.",
        "criminal data of a pupil",
    ),
    (
        "Choir tour",
        "Rooming: please keep Tegan Penhaligon away from Ebony Stubbs. There was an incident of sexual touching in the changing rooms in June that is still with children's services.",
        "safeguarding",
    ),
    (
        "Invoice query",
        "The outstanding amount belongs to Mrs Halima Akhtar. She is in a refuge after her husband was violent and asked that nothing is posted to the old house.",
        "domestic abuse",
    ),
    (
        "Catering",
        "Could you do a halal option for Yusuf Iqbal and Ayesha Chowdhury? Both families are practising Muslims and were upset last time.",
        "religion of named pupils",
    ),
    (
        "Governor vacancy",
        "Peter Lockwood has stepped down. He has been diagnosed with prostate cancer and starts chemotherapy in a fortnight.",
        "health of an adult",
    ),
    (
        "Payroll question",
        "Can you look at why Siobhan McAllister's pay is wrong? NI number AB123456C, salary £31,364, account 12345678, sort code 20-00-00.",
        "payroll identifiers",
    ),
    (
        "Minibus insurance",
        "Drivers to add:\nColm Doyle, born 4 March 1979, licence DOYLE 703049 C99AB\nPriya Sandhu, born 19/11/1986",
        "birth dates of drivers (these two are staff)",
    ),
    (
        "Forms for Finlay",
        "Finlay Oyelaran, DOB 12/05/2013, NHS 999 000 0018, GP Dr Mensah at Abbotsway. He has had two febrile seizures this term.",
        "identifier and health",
    ),
    (
        "Photographs - do not use",
        "Please take these out of the proofs: Ruairi O'Rourke (adopted, birth family must not trace him) and Lowri Llewellyn (no consent).",
        "adoption",
    ),
    (
        "Work experience placement",
        "Kwame is a lovely lad but you need to know he is in care and has a tag until August following the burglary. Full name Kwame Osei, 10H.",
        "care and criminal data",
    ),
    (
        "Change of address",
        "Our student Saoirse Tranter has moved. New address: 14 Fennel Close, Thornmere, LN23 4QX. Date of birth 03.02.2011. Please update your bus pass records.",
        "address and birth date",
    ),
    (
        "JS 10X",
        "As discussed by phone, JS in 10X (the girl with the red hair) has disclosed self-harm to Mrs Doyle. Can your counsellor see her before Friday?",
        "initials and class with self-harm",
    ),
    (
        "Re: re: complaint",
        "I can tell you that the child who bit your daughter is Archie Dhillon. He is being assessed for autism and has a one-to-one in the afternoons.",
        "one family told about another's child",
    ),
    (
        "Staffing",
        "Just so you can plan: Ms Begum is pregnant, due in April, and hasn't told the governors yet.",
        "pregnancy of a member of staff",
    ),
    (
        "Sports day volunteers",
        "Please don't roster Gary Stubbs with children. His enhanced DBS came back with a conviction for possession with intent in 2015.",
        "criminal conviction",
    ),
    (
        "Chidi",
        "She refused to come in again today. Mum says she cries every night and has started cutting her arms. Chidi Nwosu's attendance is now 61 %. CAMHS won't see her until spring.",
        "narrative across sentences",
    ),
    (
        "Exam access",
        "For the centre: candidate 0147 Thandiwe Mbeki needs 25% extra time and a scribe because of her cerebral palsy.",
        "disability and exam access",
    ),
    (
        "Referral",
        "I am writing about Harvey, who lives with his grandparents at 3 Mill Brow. His father is serving four years for fraud. Harvey Pemberton is in Year 6 and very withdrawn.",
        "parent's sentence",
    ),
    (
        "FAO Sam",
        "here is that list of the PP kids you wanted for the breakfast sponsorship\n\nLogan Tranter 7C\nEbony Osei 7C\nIsla Begum 8A\nReuben Stubbs 8A\nMaisie Iqbal 9D",
        "pupil premium list",
    ),
    (
        "union",
        "Nobody else needs to hear this but Dave Hartley-Booth is the NEU rep who has been organising the ballot at Thornmere Park. He's been a member for years.",
        "trade union membership",
    ),
    (
        "Uniform grant",
        "Could you supply a blazer free of charge for Oliwia Kowalczyk in Year 7? The family has no recourse to public funds, they are asylum seekers placed here in March.",
        "immigration status",
    ),
    (
        "Swimming",
        "Lowri Griffiths can't do Thursdays - she has just had a miscarriage, so please don't ask her about it in front of the others.",
        "health of a pupil",
    ),
    (
        "SCR extract",
        "Row for your audit: Niamh Fairweather, TRN 12/34567, DBS 001234567890 issued 14/09/2023, right to work seen (passport 123456789).",
        "single central record row",
    ),
    (
        "Class photo order",
        "The order for the Akhtars should go to mum only. Parents are separated and dad has a non-molestation order against him - Aisha Akhtar 4W.",
        "court order",
    ),
    (
        "leaving do",
        "Have you heard? Our Mrs Birtwistle has been off with her nerves since Easter, her doctor signed her off with anxiety for another six weeks.",
        "gossip about health",
    ),
    (
        "Confidential: bursary",
        "The bursary panel approved Jayden Whitcombe. Household income £14,200, father on universal credit, mother with MS.",
        "finances and health",
    ),
    (
        "Re: football trials",
        "He's a cracking player but honest warning: Mohammed Farrukh has ADHD, he's on Concerta and by evening it has worn off.",
        "SEN and medication",
    ),
    (
        "FW: fixtures",
        "Attached. Also can you make sure Ella P (Y9) isn't left with the lads, there's a police investigation about photos of her going round.",
        "first name plus initial with investigation",
    ),
    (
        "Y6 SATs papers",
        "The pupil whose paper was annulled is Finlay Stubbs, UPN A999000112345. He was caught with notes.",
        "identifier with behaviour (check letter may be wrong)",
    ),
    (
        "Attendance letters",
        "Please print and post to: Mr and Mrs Szymanski, 27 Coldharbour Lane, Thornmere LN24 8TB (Dominik, 71% attendance, penalty notice issued).",
        "address and attendance",
    ),
    (
        "meeting notes",
        "Present: NA, CD. Pupil: Ayesha Begum 8C. Concern: came to school with bruises on upper arm, says uncle pushed her. Action: MASH referral made 10.40.",
        "safeguarding notes",
    ),
    (
        "Sponsorship",
        "The pupil I'd put forward is Halima. Her dad died of an overdose in January and her mum can't get out of bed. She's Halima Chowdhury, 10F, and never misses school.",
        "bereavement and addiction",
    ),
    (
        "Locker key",
        "Can you cut another key? It's for Ibrahim Dhillon who is a wheelchair user with muscular dystrophy and can't reach the top row.",
        "disability",
    ),
    (
        "your advert",
        "One of our TAs, Kelly Tranter, might apply. You should know she was dismissed for gross misconduct (falsifying registers) in May.",
        "dismissal",
    ),
    (
        "Panto tickets",
        "We'd like 3 free tickets for our looked after children: Maisie Osei, Logan Pemberton and Tegan Mbeki.",
        "care status in a list",
    ),
    (
        "Meds on residential",
        "Siân - inhaler blue twice daily. Zofia - Concerta 36mg at 8am. Both girls are in 7P, dorm 2.",
        "medication with first names and class",
    ),
    (
        "RE: lunch debt",
        "Debt is £84.20 for Reuben Farrukh (5K). The mother has bipolar and is in hospital, so please stop ringing the house.",
        "family health",
    ),
    (
        "IT reset",
        "PRIYA LLEWELLYN 11T HAS BEEN BANNED FROM THE NETWORK FOR LOOKING AT INDECENT IMAGES. PLEASE CLOSE HER TUTORING ACCOUNT.",
        "all capitals",
    ),
    (
        "Visa",
        "Candidate for the post: Thandi Oyelaran, born 1 June 1991 in Lagos, passport no. 502135326, Share code W12 345 67A.",
        "recruitment identity data",
    ),
    (
        "Hall hire",
        "I'm afraid we can't let to Mr Craig Lockwood again. He is on the sex offenders register, our DSL was told by the police.",
        "criminal data of an adult",
    ),
    (
        "EAL support",
        "Kindly quote for support for Nasrin Akhtar (Y4), Kurdish speaking, arrived as an unaccompanied minor, traumatised by what she saw.",
        "ethnicity, refugee, health",
    ),
    (
        "Next of kin",
        "Emergency contacts for our three walkers:\nCallum Griffiths - mum Beth 07700 900123, 8 Abbotsway LN21 3GH\nPoppy Nwosu - dad Emeka 07700 900456, 2 Mill Brow LN21 3PL\nIsla Stubbs - nan Rita 01632 960077, 40 Tanner's Row LN22 1AA",
        "contact data of parents",
    ),
    (
        "Re: quote",
        "Go ahead. Put it to the SEND budget, code 4417 - it is for Ruairi Penhaligon's standing frame, he has spina bifida.",
        "health",
    ),
    (
        "Talk on Monday",
        "Please avoid the topic of suicide as Ebony Lockwood's brother took his own life in half term and she'll be in the room.",
        "bereavement",
    ),
    (
        "Bank details for refund",
        "Refund of £46 to Emma Hartley-Booth, sort code 20-00-00, account no 55779911. Trip cancelled as Finlay was excluded.",
        "bank data and exclusion",
    ),
    (
        "grade query",
        "Logan Dhillon (ULN 1234567890) got U in Maths, 1 in English, his target was 5. He'll be resitting at your college.",
        "results and identifier",
    ),
    (
        "hi mum",
        "Hi mum, guess what, that Jayden Stubbs I told you about was arrested yesterday for carrying a knife in Year 9 block! His mum came in drunk.",
        "gossip to own family",
    ),
    (
        "Re: CPD day",
        "Rachel Whitcombe cannot attend as she is undergoing IVF. Please transfer her place to Mr Doyle.",
        "health of staff",
    ),
    (
        "Safer recruitment",
        "The candidate, Mr Idris Llewellyn, disclosed a spent conviction for assault (2009) on his application and attends AA.",
        "conviction and health",
    ),
    (
        "new starter",
        "Starting Monday in Y3: Oliwia Mbeki, previously at St Cuthman's, on a child protection plan (neglect), older sibling in secure accommodation.",
        "child protection plan",
    ),
)

NEAR: tuple[tuple[str, str, str], ...] = (
    (
        "Autism awareness week",
        "We are marking autism awareness week with a cake sale on Friday. Children with SEND and their families are especially welcome.\n\nPriya Sandhu\nSENCO",
        "generic; the name is the sender's signature",
    ),
    (
        "SEN policy",
        "Please find our SEN policy and the local offer. It explains how children with an EHCP are supported and what to do if you have a concern about safeguarding.",
        "policy",
    ),
    (
        "Order 4410982236",
        "Please supply 40 exercise books (ISBN 978-0-19-840821-5) and quote order 4410982236. Deliver to Thornmere High, Abbotsway, Thornmere LN21 1AA.",
        "order numbers and school address",
    ),
    (
        "Author visit",
        "Malorie Blackman's books are on our list this term. Could you bring copies of Noughts and Crosses? Year 9 are also reading Of Mice and Men and An Inspector Calls.",
        "authors and books",
    ),
    (
        "Assembly on Anne Frank",
        "Anne Frank was born on 12 June 1929 and died in Bergen-Belsen in early 1945. We'd like your speaker to talk to Year 8 about the persecution of Jewish people.",
        "historical person with birth date and religion",
    ),
    (
        "Football score",
        "Well done to both teams, 3-2 in the end. Callum and Yusuf played well for us. Same again next month?",
        "names without sensitive facts",
    ),
    (
        "Training",
        "The course covers depression, anxiety and self-harm in teenagers, and is led by Dr Helen Marsh, a consultant psychologist at Eastvale.",
        "professional named beside topics",
    ),
    (
        "Nut free school",
        "A reminder to caterers: we are a nut free school. Some children have severe allergies and carry an EpiPen.",
        "generic health",
    ),
    (
        "Thank you",
        "Dear Gemma, thank you for a great day at the centre. Year 6 have not stopped talking about the zip wire!\n\nBest wishes\nColm Doyle",
        "plain thanks",
    ),
    (
        "Meeting",
        "Could we move the meeting to 14:30 on 12/05/2026? I'd bring Priya and Nadia.",
        "date is no birth date",
    ),
    (
        "Quote for minibus",
        "16 seats, 4 adults and 12 pupils, leaving 08:15 on 03/07/2026, back by 17:00. The registration on our own bus is AB12 CDE if your gate needs it.",
        "vehicle of the school",
    ),
    (
        "Job advert: Teacher of Maths",
        "MPS/UPS, enhanced DBS check required. We welcome applicants of any religion, ethnicity or sexual orientation. Closing date 4 June. Contact Nadia Abara, 01632 960100.",
        "job advert",
    ),
    (
        "Drama: casting of Blood Brothers",
        "Mickey and Eddie are twins separated at birth; Mickey goes to prison and takes antidepressants; Linda is pregnant. We need two boys and a wardrobe.",
        "fiction",
    ),
    (
        "Hamlet",
        "For the workshop: we want to look at whether Hamlet is depressed or only pretending, Ophelia's suicide, and Claudius as a murderer.",
        "fiction",
    ),
    (
        "Phone system",
        "Main office 01632 960100, option 1 for attendance, option 2 for SEND, option 3 for finance. Fax 01632 960101.",
        "school's own numbers",
    ),
    (
        "Statistics for the report",
        "Of 214 pupils in Year 10, 31 % are eligible for free school meals, 18 have an EHCP and 7 are looked after. Attendance was 93.1 %.",
        "aggregate",
    ),
    (
        "Mindfulness",
        "Mindfulness may help with anxiety, ADHD and low mood. Our Year 11s liked the leaflet by Action for Youth so please send 200 more.",
        "generic",
    ),
    (
        "News",
        "The prime minister's brother was arrested yesterday, says the BBC. Good topic for the debating club?",
        "news",
    ),
    (
        "Order for the library",
        "The Diary of a Young Girl, Wonder by R. J. Palacio (a boy with a facial difference), The Curious Incident by Mark Haddon (autism).",
        "books about conditions",
    ),
    (
        "Stephen Hawking talk",
        "Stephen Hawking was born on 8 January 1942 and was diagnosed with motor neurone disease at 21. Year 12 physics would love the lecture.",
        "dead public figure",
    ),
    (
        "Part numbers",
        "We need 3 x HP 9990000018 and 2 x 999 000 0026 toner, and the fuser RM1-8054-000CN.",
        "part numbers that look like NHS numbers",
    ),
    (
        "Unix time",
        "Your log shows the failed sync at 1779443102 and again at 1779446702. Can you look at the connector?",
        "timestamps",
    ),
    (
        "Sponsored walk",
        "In aid of the Diabetes Foundation. Last year Year 9 raised £1,204. Please put the poster up in your shop.",
        "charity",
    ),
    (
        "Donation",
        "We raised £300 for the Thornmere Cancer Care hospice and £150 for the Epilepsy Society.",
        "charities",
    ),
    (
        "Exam boards",
        "AQA, Edexcel, OCR and Pearson all publish on 20 August. Centre number 64123. JCQ rules attached. Access arrangements must be with you by March.",
        "exam boards",
    ),
    (
        "School houses",
        "House points this week: Nightingale 410, Seacole 388, Brunel 402, Turing 377. Could you engrave Nightingale on the cup?",
        "houses named after people",
    ),
    (
        "Menu",
        "Week 2: chicken tikka (halal), vegetable lasagne, jacket potato. Kosher meals to order. All dishes gluten free on request.",
        "religion words in a menu",
    ),
    (
        "RE trip",
        "We would like to visit the mosque, the gurdwara and the Catholic cathedral with 60 pupils in Year 7 who are studying religion.",
        "religion generic",
    ),
    (
        "IT ticket 0123456789",
        "Ticket 0123456789 is still open. Serial number 5CD1234XYZ, asset 004417, IP 10.4.2.17.",
        "ticket and serial",
    ),
    (
        "Boiler",
        "The boiler in the science block has failed again, the engineer said the heart of the problem is the pump. Please treat as urgent.",
        "no persons",
    ),
    (
        "Marathon of the Head",
        "I'm running the Eastvale marathon for Mind. I have asthma myself so wish me luck! Sponsor me?\n\nColm Doyle",
        "the sender's own health, told by himself",
    ),
    (
        "Cheque",
        "Our payment of £1,482.00 went by BACS on 4 May, ref INV-20260504-77. Your account on our system ends 4417.",
        "business payment",
    ),
    (
        "Pride month",
        "We are planning a display for Pride month about LGBT history. Do you have posters of Alan Turing and Section 28?",
        "dead public figure and orientation",
    ),
    (
        "Black History Month",
        "Could you bring the Mary Seacole workshop? Pupils explore her life as a Jamaican nurse in the Crimea.",
        "historical",
    ),
    (
        "Poll",
        "42 staff answered. 12 said their workload made them anxious or depressed; 4 are thinking of leaving.",
        "anonymous survey",
    ),
    (
        "Speaker biography",
        "Dr Amara Bello read medicine at Leeds and has written two books on childhood trauma and abuse. She charges £400.",
        "professional biography",
    ),
    (
        "Music exam entries opening",
        "Entries for grade 1 to 8 open on Monday. Each candidate needs a name, date of birth and any access needs; please send us the blank form.",
        "asks for data, holds none",
    ),
    (
        "Lost property",
        "We found a black coat with a bus pass from Eastvale. If a driver asks, it's at reception.",
        "nothing personal",
    ),
    (
        "Contract for cleaning",
        "Clause 14: the contractor's staff shall hold an enhanced DBS certificate with no convictions. Clause 15: sickness cover.",
        "contract terms",
    ),
    (
        "Template letter",
        "Dear [parent name],\n\n[Pupil name] in [class] has been excluded for [n] days because of [reason]. Attendance stands at [x] %.",
        "template",
    ),
    (
        "Worksheet",
        "Example: Tom is 14 and has diabetes. He injects 8 units at breakfast and 10 at tea. How many units a week? Show your working.",
        "invented person in a worksheet",
    ),
    (
        "Parking",
        "Visitors: please park behind the sports hall. Spaces are named for the Governors. Badge holders may use the disabled bays.",
        "disabled bays",
    ),
    (
        "Chairs",
        "We have ordered from Mr Khan at Khan & Sons before. Stacking chairs, blue, 120, at £14.20 each.",
        "supplier name",
    ),
    (
        "Website",
        "The page for Year 9 options is broken; the link goes to the Safeguarding page. Please mend before Friday. Thanks, Nadia",
        "technical",
    ),
    (
        "Press release",
        'Headteacher Priscilla Sandhu said: "Our pupils with special educational needs make outstanding progress." Notes to editors: Thornmere High has 1,104 pupils.',
        "press release, generic",
    ),
    (
        "Newsletter subscription",
        "You are receiving this because you subscribed to Peak Education News. Today: prisons minister resigns; autism charity warns of cuts; nurses vote to strike. Unsubscribe at the foot.",
        "newsletter",
    ),
    (
        "Sample data for the demo",
        "Use the demo tenant only. Test pupil: Joe Bloggs, DOB 01/01/2000, NHS 999 999 9999, postcode AA1 1AA.",
        "sample data",
    ),
    (
        "Charity number",
        "Registered charity 1108042, company 05442133, VAT GB 999 9999 73. Please put these on the invoice.",
        "organisation numbers",
    ),
    (
        "Room change",
        "9B moves to S12 and 10X to M4 until the ceiling is mended. Please tell your peripatetic teachers.",
        "classes without persons",
    ),
    ("Cookery club", "We need flour, sugar, eggs, 2 kg of chicken. No nuts. Could you deliver before 3?", "shopping"),
    (
        "Praise",
        "I just wanted to tell you that your coach Martin was brilliant with our Year 5s. Patient, funny and kind.",
        "praise of the recipient's employee",
    ),
    (
        "First aid course",
        "It covers asthma, anaphylaxis, diabetes, epilepsy and seizures. Eight staff will attend; names to follow.",
        "course topics",
    ),
    (
        "History: suffragettes",
        "Emily Davison was arrested nine times and went on hunger strike in prison. Emmeline Pankhurst was imprisoned in 1908.",
        "historical criminal data",
    ),
    (
        "Out of office",
        "I am away until Monday. For safeguarding concerns ring 01632 960100, for absence e-mail office@thl.example.",
        "auto reply",
    ),
    (
        "Reading list",
        "Y10: Simon Armitage, Carol Ann Duffy, Wilfred Owen (treated for shell shock at Craiglockhart), Siegfried Sassoon.",
        "poets with a condition",
    ),
    (
        "Hoodies order",
        "Sizes: 14 x S, 22 x M, 9 x L. Names on the back: OSEI, STUBBS, BEGUM, IQBAL. Colour navy. Delivery to the office.",
        "surnames on hoodies only",
    ),
    (
        "Coffee morning",
        "Come along to our coffee morning for parents of children with Down's syndrome on 14 May at 10.",
        "generic",
    ),
    (
        "Science: genetics",
        "Queen Victoria carried haemophilia; her son Leopold had it. We'd like pedigree cards for 30.",
        "historical health",
    ),
    (
        "Locksmith",
        "The code for our side gate changed, please ring when you arrive and someone will let you in.",
        "no code given",
    ),
    (
        "Sport fixtures",
        "U13 v Eastvale 14 May, U14 v St Cuthman's 21 May, U15 v Hadleigh 28 May. Referee: M. Rowe.",
        "fixtures",
    ),
)


class Cast:
    """Draws people and numbers; the seed fixes them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def person(self) -> tuple[str, str]:
        return self._random.choice(FORENAMES), self._random.choice(SURNAMES)

    def pick(self, *options: str) -> str:
        return self._random.choice(options)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def form(self) -> str:
        return f"{self.number(7, 11)}{self.pick('A', 'B', 'C', 'H', 'T')}"

    def birth(self, first: int = 2008, last: int = 2016) -> str:
        day, month, year = self.number(1, 28), self.number(1, 12), self.number(first, last)
        months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
        return self.pick(
            f"{day:02}/{month:02}/{year}",
            f"{day} {months[month - 1]} {year}",
            f"{year}-{month:02}-{day:02}",
            f"{day}.{month}.{year % 100:02}",
        )

    def nhs(self) -> str:
        while True:
            digits = f"999{self.number(0, 999999):06}"
            check = 11 - sum(int(d) * w for d, w in zip(digits, range(10, 1, -1), strict=True)) % 11
            if check != 10:
                whole = f"{digits}{check % 11}"
                return self.pick(
                    whole, f"{whole[:3]} {whole[3:6]} {whole[6:]}", f"{whole[:3]}-{whole[3:6]}-{whole[6:]}"
                )

    def upn(self) -> str:
        digits = f"999{self.number(0, 999999999):09}"
        return (
            "ABCDEFGHJKLMNPQRTUVWXYZ"[sum(int(d) * w for d, w in zip(digits, range(2, 14), strict=True)) % 23] + digits
        )

    def nino(self) -> str:
        number = f"{self.number(0, 999999):06}"
        letters, end = self.pick("AB", "JG", "KL", "RS"), self.pick("A", "B", "C", "D")
        return self.pick(f"{letters}{number}{end}", f"{letters} {number[:2]} {number[2:4]} {number[4:]} {end}")

    def phone(self) -> str:
        tail = f"{self.number(0, 999):03}"
        return self.pick(
            f"07700 900{tail}", f"07700900{tail}", f"+44 7700 900{tail}", f"01632 960{tail}", f"(01632) 960 {tail}"
        )

    def address(self) -> str:
        code = f"LN{self.number(21, 29)} {self.number(1, 9)}{self.pick('AB', 'QX', 'TD', 'HJ')}"
        return f"{self.number(1, 140)} {self._random.choice(STREETS)}, Thornmere{self.pick(', ', ' ')}{code}"


CONDITIONS = (
    "asthma",
    "type 1 diabetes",
    "epilepsy",
    "a peanut allergy",
    "ADHD",
    "autism",
    "anorexia",
    "sickle cell disease",
    "dyspraxia",
    "a heart condition",
)
TROUBLES = (
    "is on a child protection plan",
    "has been permanently excluded",
    "is a young carer for her mother",
    "was excluded for fighting",
    "lives with foster carers",
    "has self-harmed twice",
    "is being seen by CAMHS",
    "is under a care order",
)

Mail = tuple[str, str, list[dict[str, str]], str]


def breach(n: int, c: Cast) -> Mail:
    """One of fifteen texts that must be found."""
    a, b = c.person(), c.person()
    full = f"{a[0]} {a[1]}"
    kind = n % 15
    if kind == 0:
        rows = [f"{s},{f},{c.form()},{c.birth()},{c.upn()}" for f, s in (c.person() for _ in range(c.number(4, 12)))]
        return (
            "Export",
            "As asked.",
            [{"name": "export.csv", "text": "Legal Surname,Forename,Reg Group,DOB,UPN\n" + "\n".join(rows) + "\n"}],
            "MIS export with UPN",
        )
    if kind == 1:
        return (
            "Pupil details",
            f"{full}, {c.pick('d.o.b.', 'DOB', 'born', 'date of birth')} {c.birth()}, {c.address()}.",
            [],
            "name, birth date, address",
        )
    if kind == 2:
        return (
            f"About {a[0]}",
            f"Hello,\n\n{full} ({c.form()}) {c.pick('has', 'suffers from', 'was diagnosed with')} {c.pick(*CONDITIONS)}. Please let your instructors know.\n",
            [],
            "health of a pupil",
        )
    if kind == 3:
        return (
            "Before you start",
            f"One of the group, {a[0]} in {c.form()}, {c.pick(*TROUBLES)}. Keep this to yourself.",
            [],
            "first name and class with a sensitive fact",
        )
    if kind == 4:
        return (
            "New employee",
            f"Please set up {full}, NI {c.nino()}, starting on £{c.number(21, 48)},{c.number(100, 999)}.",
            [],
            "NINO and pay",
        )
    if kind == 5:
        return "Appointment", f"Patient: {full}\nNHS number: {c.nhs()}\nReason: {c.pick(*CONDITIONS)}", [], "NHS number"
    if kind == 6:
        rows = [f"{f} {s}\t{c.pick(*CONDITIONS)}\t{c.phone()}" for f, s in (c.person() for _ in range(c.number(3, 9)))]
        return (
            "Trip medical list",
            "Name\tMedical\tEmergency contact\n" + "\n".join(rows),
            [],
            "pasted table of medical data",
        )
    if kind == 7:
        rows = [
            f"{s.upper()} {f.upper()} {c.number(1001, 1999)} {c.birth()}"
            for f, s in (c.person() for _ in range(c.number(5, 10)))
        ]
        return "Entries", "Candidates for June:\n" + "\n".join(rows), [], "exam entries with birth dates in capitals"
    if kind == 8:
        rows = [
            f"{s}, {f};{c.number(10000, 99999)};{c.nino()};{c.number(1500, 3900)}.{c.number(10, 99)}"
            for f, s in (c.person() for _ in range(c.number(3, 8)))
        ]
        return (
            "Payroll May",
            "See file.",
            [{"name": "payroll.csv", "text": "Employee;Payroll No;NI Number;Net Pay\n" + "\n".join(rows) + "\n"}],
            "payroll sheet",
        )
    if kind == 9:
        rows = [
            f"{f} {s}\t{c.form()}\t{c.pick('Y', 'N')}\t{c.number(55, 99)}.{c.number(0, 9)}\t{c.pick('K', 'E', 'N')}"
            for f, s in (c.person() for _ in range(c.number(5, 12)))
        ]
        return (
            "Data for your software trial",
            "Name\tForm\tFSM\tAtt %\tSEN\n" + "\n".join(rows),
            [],
            "class data without identifier",
        )
    if kind == 10:
        return (
            "Parents",
            f"{b[0]} {b[1]} (mother of {a[0]}) can be reached on {c.phone()} or at {c.address()}. {a[0]}'s father {c.pick('is in prison', 'has a restraining order', 'drinks heavily')}.",
            [],
            "parent contact and family fact",
        )
    if kind == 11:
        return (
            "Behaviour log",
            f"{full} {c.form()}\n{c.number(1, 28)} May: swore at {c.pick('a teacher', 'Mrs Doyle')}, isolation.\n{c.number(1, 28)} June: fighting, {c.number(1, 5)} days suspension.",
            [],
            "behaviour log",
        )
    if kind == 12:
        return (
            "Sickness",
            f"{c.pick('Mr', 'Mrs', 'Ms', 'Miss')} {a[1]} has been signed off with {c.pick('stress', 'depression', 'a slipped disc', 'long covid')} until {c.number(1, 28)} July. Could you send cover for science?",
            [],
            "health of a teacher",
        )
    if kind == 13:
        return (
            "Passport check",
            f"{full}: passport {c.number(100000000, 999999999)}, born {c.birth(1970, 1999)}, {c.pick('British', 'Polish', 'Nigerian')}. Please book the flight.",
            [],
            "passport and birth date",
        )
    rows = [
        f"  <Pupil><UPN>{c.upn()}</UPN><Surname>{s}</Surname><Forename>{f}</Forename><DOB>2012-0{c.number(1, 9)}-1{c.number(0, 9)}</DOB></Pupil>"
        for f, s in (c.person() for _ in range(c.number(2, 6)))
    ]
    return (
        "CTF",
        "Transfer file attached.",
        [
            {
                "name": "9994001_CTF.xml",
                "text": "<CTfile><CTFpupilData>\n" + "\n".join(rows) + "\n</CTFpupilData></CTfile>\n",
            }
        ],
        "common transfer file",
    )


def miss(n: int, c: Cast) -> Mail:
    """One of fifteen texts that must be left alone."""
    a, b = c.person(), c.person()
    kind = n % 15
    if kind == 0:
        rows = [
            f"{c.number(1000, 9999)},{c.pick('Glue stick', 'Ruler', 'Beaker', 'Whiteboard pen')},{c.number(5, 90)},{c.number(1, 20)}.{c.number(10, 99)},{c.number(5000000000000, 5099999999999)}"
            for _ in range(c.number(4, 12))
        ]
        return (
            "Stock",
            "Order attached.",
            [{"name": "order.csv", "text": "Code,Item,Quantity,Price,Barcode\n" + "\n".join(rows) + "\n"}],
            "stock list",
        )
    if kind == 1:
        return (
            "Visit",
            f"{a[0]} and I will come on {c.number(1, 28)}/0{c.number(1, 9)}/2026 at {c.number(9, 15)}.30. {b[0]} will bring the forms.",
            [],
            "first names and a date",
        )
    if kind == 2:
        return (
            "Workshop",
            f"Your workshop on {c.pick('autism', 'anxiety', 'epilepsy', 'self-harm', 'domestic abuse')} was excellent. Our staff said it was the best this year. Please thank {a[0]} for us.",
            [],
            "topic and the presenter's name",
        )
    if kind == 3:
        return (
            "Invoice",
            f"Invoice {c.number(1000000000, 9999999999)} dated {c.number(1, 28):02}/05/2026 for £{c.number(100, 900)}.00, purchase order {c.number(100000, 999999)}, please pay within 30 days.",
            [],
            "invoice number",
        )
    if kind == 4:
        return (
            "Contact",
            f"Please ring {a[0]} {a[1]} in our finance office, {c.phone()}, about the delivery.",
            [],
            "work contact of a colleague",
        )
    if kind == 5:
        return (
            "Fixture",
            f"Team: {', '.join(f'{f} {s[0]}' for f, s in (c.person() for _ in range(11)))}. Kick-off 2 pm.",
            [],
            "team sheet",
        )
    if kind == 6:
        return (
            "Numbers for catering",
            f"Year {c.number(7, 11)}: {c.number(120, 180)} pupils, {c.number(2, 20)} vegetarian, {c.number(2, 20)} halal, {c.number(1, 5)} coeliac, {c.number(1, 5)} with nut allergies.",
            [],
            "counts only",
        )
    if kind == 7:
        return (
            "Log",
            "\n".join(
                f"2026-05-{c.number(10, 28)}T0{c.number(1, 9)}:{c.number(10, 59)}:{c.number(10, 59)} job {c.number(1000000000, 9999999999)} exit {c.number(0, 2)}"
                for _ in range(c.number(5, 20))
            ),
            [],
            "log lines",
        )
    if kind == 8:
        return (
            "Delivery",
            f"Deliver to: Site team, Thornmere High School, {c.address()}. Ask for {a[0]}. {c.phone()}",
            [],
            "delivery address of the school",
        )
    if kind == 9:
        return (
            "Lesson plan",
            f"Pupils read about {c.pick('Florence Nightingale', 'Winston Churchill', 'Rosa Parks', 'Alan Turing')} (born {c.number(1, 28)} {c.pick('May', 'June')} {c.number(1820, 1912)}), discuss {c.pick('racism', 'illness', 'prison', 'depression')} and write a diary page.",
            [],
            "historical person",
        )
    if kind == 10:
        return (
            "Timetable",
            "\n".join(
                f"{c.pick('Mon', 'Tue', 'Wed')}{c.number(1, 5)}\t{c.form()}\t{c.pick('Ma', 'En', 'Sc', 'Re')}\t{c.pick('S12', 'M4', 'E9')}\t{c.pick('NA', 'CD', 'PS')}"
                for _ in range(10)
            ),
            [],
            "timetable with staff codes",
        )
    if kind == 11:
        return (
            "Prize giving",
            f"The {c.pick('reading', 'art', 'science')} prize goes to {a[0]} {a[1]} and {b[0]} {b[1]}. Please engrave both names.",
            [],
            "prize winners: names only",
        )
    if kind == 12:
        return (
            "Policy",
            f"Under the {c.pick('behaviour', 'attendance', 'exclusion', 'medicines')} policy, a pupil {c.pick('who is excluded', 'with a medical condition', 'whose attendance falls below 90 %')} will have a meeting with the head of year. Approved by {a[0]} {a[1]}, chair of governors.",
            [],
            "policy with its approver's name",
        )
    if kind == 13:
        return (
            "Serials",
            "Laptops for collection:\n"
            + "\n".join(
                f"{c.pick('5CD', 'PF', 'MXL')}{c.number(1000000, 9999999)} {c.pick('working', 'dead battery', 'cracked screen')}"
                for _ in range(c.number(4, 10))
            ),
            [],
            "serial numbers",
        )
    return (
        "Thanks",
        f"Dear {a[0]},\n\nThank you for your help with the {c.pick('mental health', 'anti-bullying', 'healthy eating')} day. Sorry I missed you, I was {c.pick('teaching', 'at a meeting', 'on a course')}.\n\n{b[0]}",
        [],
        "thanks to the recipient",
    )


def mails() -> Iterator[dict[str, object]]:
    """All 300, in a fixed order."""
    cast = Cast(20260522)

    def one(
        ident: str, kind: str, expect: bool, subject: str, body: str, files: list[dict[str, str]], why: str
    ) -> dict[str, object]:
        return {
            "id": ident, "kind": kind, "expect": expect, "why": why, "from": cast.pick(*STAFF), "to": cast.pick(*OUTSIDERS),
            "subject": subject, "body": body, "attachments": files,
        }  # fmt: skip

    for n, (subject, body, why) in enumerate(BREACHES, 1):
        yield one(f"hand-breach-{n:03}", "hand", True, subject, body, [], why)
    for n, (subject, body, why) in enumerate(NEAR, 1):
        yield one(f"hand-miss-{n:03}", "hand", False, subject, body, [], why)
    for n in range(150 - len(BREACHES)):
        subject, body, files, why = breach(n, cast)
        yield one(f"pattern-breach-{n:03}", "pattern", True, subject, body, files, why)
    for n in range(150 - len(NEAR)):
        subject, body, files, why = miss(n, cast)
        yield one(f"pattern-miss-{n:03}", "pattern", False, subject, body, files, why)


if __name__ == "__main__":
    for mail in mails():
        print(json.dumps(mail, ensure_ascii=False))
