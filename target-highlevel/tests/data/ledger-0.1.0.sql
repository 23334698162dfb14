BEGIN TRANSACTION;
CREATE TABLE audit (
	seq INTEGER NOT NULL, 
	at VARCHAR NOT NULL, 
	location VARCHAR NOT NULL, 
	run VARCHAR NOT NULL, 
	event VARCHAR NOT NULL, 
	action VARCHAR NOT NULL, 
	object VARCHAR NOT NULL, 
	source_id VARCHAR NOT NULL, 
	hl_id VARCHAR, 
	method VARCHAR NOT NULL, 
	route VARCHAR NOT NULL, 
	status VARCHAR, 
	fields TEXT NOT NULL, 
	prev VARCHAR NOT NULL, 
	hash VARCHAR NOT NULL, 
	PRIMARY KEY (seq)
);
INSERT INTO "audit" VALUES(1,'2026-11-02T20:00:00.015000Z','place1','20261102T200000.005000Z-472595','intent','create','contact','patients/1',NULL,'POST','/contacts/',NULL,'["name"]','0000000000000000000000000000000000000000000000000000000000000000','5ae3a1d29143f6f60ee1dd6a6296e6b2bf22cbe52871679867fb7e7ef9a632e8');
INSERT INTO "audit" VALUES(2,'2026-11-02T20:00:00.020000Z','place1','20261102T200000.005000Z-472595','outcome','create','contact','patients/1','hl-1','POST','/contacts/','created','[]','5ae3a1d29143f6f60ee1dd6a6296e6b2bf22cbe52871679867fb7e7ef9a632e8','7600124424df86546ce8205cc4095f3f9c90d6eff8fd74950e2eed0b98b05df7');
INSERT INTO "audit" VALUES(3,'2026-11-02T20:00:00.030000Z','place1','20261102T200000.005000Z-472595','intent','create','contact','patients/2',NULL,'POST','/things',NULL,'["name"]','7600124424df86546ce8205cc4095f3f9c90d6eff8fd74950e2eed0b98b05df7','48e8de20492a7c5889242505e2e689e557c5034eced15974cde7803736e2c8a0');
INSERT INTO "audit" VALUES(4,'2026-11-02T20:00:00.035000Z','place1','20261102T200000.005000Z-472595','outcome','create','contact','patients/2','hl-contact:patients/2','POST','/things','created','[]','48e8de20492a7c5889242505e2e689e557c5034eced15974cde7803736e2c8a0','a80ac294ccae1838b9d18001d1ee82ac016e96d80565144ae81294fffcd124ce');
INSERT INTO "audit" VALUES(5,'2026-11-02T20:00:00.045000Z','place1','20261102T200000.005000Z-472595','intent','create','note','treatment_notes/7',NULL,'POST','/things',NULL,'["body"]','a80ac294ccae1838b9d18001d1ee82ac016e96d80565144ae81294fffcd124ce','48de36b7150473249dd64dc9fc6421a4279ad489c3bd4355b1590ceadbc0832a');
INSERT INTO "audit" VALUES(6,'2026-11-02T20:00:00.050000Z','place1','20261102T200000.005000Z-472595','outcome','create','note','treatment_notes/7','hl-note:treatment_notes/7','POST','/things','created','[]','48de36b7150473249dd64dc9fc6421a4279ad489c3bd4355b1590ceadbc0832a','1fae9f0a9318800f85154ddac4062f6e958aac3a5dbadec1fe3ef0e5497dc52b');
INSERT INTO "audit" VALUES(7,'2026-11-02T20:00:00.060000Z','place1','20261102T200000.005000Z-472595','intent','create','custom_objects.profile','patients/1',NULL,'POST','/things',NULL,'["name"]','1fae9f0a9318800f85154ddac4062f6e958aac3a5dbadec1fe3ef0e5497dc52b','b818f03ce4b71ebb9420b6fa85268fb4502d3e4c189f43e6ec9b447ed6348e72');
INSERT INTO "audit" VALUES(8,'2026-11-02T20:00:00.065000Z','place1','20261102T200000.005000Z-472595','outcome','create','custom_objects.profile','patients/1','hl-custom_objects.profile:patients/1','POST','/things','created','[]','b818f03ce4b71ebb9420b6fa85268fb4502d3e4c189f43e6ec9b447ed6348e72','32a6a34cfec0eaf90d37a2b5668722069e9eb871659224f482566246372218bf');
INSERT INTO "audit" VALUES(9,'2026-11-02T20:00:00.075000Z','place1','20261102T200000.005000Z-472595','intent','create','relation','of|custom_objects.profile:patients/1|contact:patients/1',NULL,'POST','/things',NULL,'["association","first","second"]','32a6a34cfec0eaf90d37a2b5668722069e9eb871659224f482566246372218bf','f492df6219d7ec4ce8833d4a01fd91fc5a2bab237972fefe28ff1cf9ab2a735c');
INSERT INTO "audit" VALUES(10,'2026-11-02T20:00:00.080000Z','place1','20261102T200000.005000Z-472595','outcome','create','relation','of|custom_objects.profile:patients/1|contact:patients/1','hl-relation:of|custom_objects.profile:patients/1|contact:patients/1','POST','/things','created','[]','f492df6219d7ec4ce8833d4a01fd91fc5a2bab237972fefe28ff1cf9ab2a735c','fbc9d0170ec225d64918d3a8bb8f8f22f011824f3914ef1abc3d135af4d9b5e8');
INSERT INTO "audit" VALUES(11,'2026-11-02T10:00:00.015000Z','place1','20261102T100000.005000Z-3435e2','intent','update','contact','patients/1','hl-1','PUT','/contacts/{id}',NULL,'["name"]','fbc9d0170ec225d64918d3a8bb8f8f22f011824f3914ef1abc3d135af4d9b5e8','d858c9c7fb113f2764fc14a98b9ff74bfc08553c31355e965416eb37f6a4fa2b');
INSERT INTO "audit" VALUES(12,'2026-11-02T10:00:00.020000Z','place1','20261102T100000.005000Z-3435e2','outcome','update','contact','patients/1','hl-1','PUT','/contacts/{id}','updated','[]','d858c9c7fb113f2764fc14a98b9ff74bfc08553c31355e965416eb37f6a4fa2b','5460bc1f746f32ca6549d76ffdd59aafe1bc47bfb2fdde0c2ca315cef06fc614');
INSERT INTO "audit" VALUES(13,'2026-11-02T10:00:00.030000Z','place1','20261102T100000.005000Z-3435e2','intent','create','contact','patients/4',NULL,'POST','/contacts/',NULL,'["name"]','5460bc1f746f32ca6549d76ffdd59aafe1bc47bfb2fdde0c2ca315cef06fc614','6259b2af41de319390a684c614f4b9dfe8da03d739e26d83aa9527c843353e0b');
INSERT INTO "audit" VALUES(14,'2026-11-02T10:00:00.040000Z','place1','20261102T100000.005000Z-3435e2','intent','update','note','treatment_notes/7','hl-note:treatment_notes/7','PUT','/contacts/{id}/notes/{id}',NULL,'["body"]','6259b2af41de319390a684c614f4b9dfe8da03d739e26d83aa9527c843353e0b','6a5dbb84cd84a33913176bf1d54878be30a56fc214c3592e52818fb029beda3e');
CREATE TABLE before_image (
	location VARCHAR NOT NULL, 
	run VARCHAR NOT NULL, 
	ref VARCHAR NOT NULL, 
	fields TEXT NOT NULL, 
	PRIMARY KEY (location, run, ref)
);
INSERT INTO "before_image" VALUES('place1','20261102T100000.005000Z-3435e2','contact:patients/1','{"name": "Patient 1", "_known": {"hl_id": "hl-1", "parent_id": null, "created_run": "20261102T200000.005000Z-472595", "outcome": "created", "outcome_run": "20261102T200000.005000Z-472595", "written": {"name": "hash"}, "notes": {"dnd": ["dnd_email"], "tags": ["shared-email"], "withheld": {"email": "another_record"}}}}');
INSERT INTO "before_image" VALUES('place1','20261102T100000.005000Z-3435e2','note:treatment_notes/7','{"body": "Note 7", "_known": {"hl_id": "hl-note:treatment_notes/7", "parent_id": null, "created_run": "20261102T200000.005000Z-472595", "outcome": "created", "outcome_run": "20261102T200000.005000Z-472595", "written": {"body": "hash"}, "notes": {}}}');
CREATE TABLE budget (
	location VARCHAR NOT NULL, 
	hour VARCHAR NOT NULL, 
	requests INTEGER NOT NULL, 
	PRIMARY KEY (location, hour)
);
CREATE TABLE contribution (
	location VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	part VARCHAR NOT NULL, 
	fields TEXT NOT NULL, 
	PRIMARY KEY (location, target, part)
);
INSERT INTO "contribution" VALUES('place1','contact:patients/1','appointments/5','{"tags":["x"]}');
CREATE TABLE dependency (
	location VARCHAR NOT NULL, 
	child VARCHAR NOT NULL, 
	parent VARCHAR NOT NULL, 
	PRIMARY KEY (location, child, parent)
);
INSERT INTO "dependency" VALUES('place1','note:treatment_notes/8','contact:patients/9');
CREATE TABLE exclusion (
	location VARCHAR NOT NULL, 
	child VARCHAR NOT NULL, 
	other VARCHAR NOT NULL, 
	PRIMARY KEY (location, child, other)
);
CREATE TABLE fact (
	name VARCHAR NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "fact" VALUES('salt','d314e852985f7d841e8ebefdf4f2159c44f2b69cb08fd111fe1e5b79781bb87d');
INSERT INTO "fact" VALUES('approved:place1','0000000000000000000000000000000000000000000000000000000000000000');
CREATE TABLE joined (
	location VARCHAR NOT NULL, 
	child VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	PRIMARY KEY (location, child, target)
);
CREATE TABLE migration (
	number INTEGER NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "migration" VALUES(1);
INSERT INTO "migration" VALUES(2);
CREATE TABLE record (
	location VARCHAR NOT NULL, 
	ref VARCHAR NOT NULL, 
	object VARCHAR NOT NULL, 
	source_id VARCHAR NOT NULL, 
	resource VARCHAR NOT NULL, 
	stream VARCHAR NOT NULL, 
	origin VARCHAR, 
	hl_id VARCHAR, 
	parent_id VARCHAR, 
	status VARCHAR NOT NULL, 
	reason VARCHAR, 
	reason_field VARCHAR, 
	payload TEXT, 
	digest VARCHAR, 
	written TEXT, 
	notes TEXT, 
	intent TEXT, 
	version INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	rank INTEGER NOT NULL, 
	priority VARCHAR NOT NULL, 
	seen_run VARCHAR, 
	outcome VARCHAR, 
	outcome_run VARCHAR, 
	created_run VARCHAR, 
	listed VARCHAR NOT NULL, 
	PRIMARY KEY (location, ref)
);
INSERT INTO "record" VALUES('place1','contact:patients/1','contact','patients/1','patients','hl_contacts',NULL,'hl-1',NULL,'done',NULL,NULL,NULL,'9f905329026920cd4474a74f','{"name":"hash2"}','{"conflicts":["phone"],"dnd":["dnd_email"],"tags":["shared-email"],"withheld":{"email":"another_record"}}',NULL,2,2,1,'~','20261102T100000.005000Z-3435e2','updated','20261102T100000.005000Z-3435e2','20261102T200000.005000Z-472595','*');
INSERT INTO "record" VALUES('place1','contact:patients/2','contact','patients/2','patients','hl_contacts',NULL,'hl-contact:patients/2',NULL,'ready',NULL,NULL,'{"absent":false,"contact":null,"fields":{"name":"Patient 2"},"joins":[],"only_these":"merged","relations":[]}','2c6b4fe5a89a14e1410a70c4','{"name":"hash"}',NULL,NULL,2,2,1,'~','20261102T100000.005000Z-3435e2','created','20261102T200000.005000Z-472595','20261102T200000.005000Z-472595','*');
INSERT INTO "record" VALUES('place1','contact:patients/3','contact','patients/3','patients','hl_contacts',NULL,NULL,NULL,'rejected','invalid_date','dateOfBirth','{"absent":false,"contact":null,"fields":{"name":"Patient 3"},"joins":[],"only_these":false,"relations":[["of","contact:patients/1"]]}','bf2f591b56a6109956a42586',NULL,NULL,NULL,1,1,1,'~','20261102T200000.005000Z-472595',NULL,NULL,NULL,'');
INSERT INTO "record" VALUES('place1','custom_objects.profile:patients/1','custom_objects.profile','patients/1','patients','hl_profiles',NULL,'hl-custom_objects.profile:patients/1',NULL,'done',NULL,NULL,NULL,'280922cb159dcd9971f940c5','{"name":"hash"}',NULL,NULL,1,1,2,'~','20261102T200000.005000Z-472595','created','20261102T200000.005000Z-472595','20261102T200000.005000Z-472595','*');
INSERT INTO "record" VALUES('place1','note:treatment_notes/7','note','treatment_notes/7','treatment_notes','hl_notes',NULL,'hl-note:treatment_notes/7',NULL,'ready',NULL,NULL,'{"absent":false,"contact":"patients/1","fields":{"body":"New"},"joins":[],"only_these":false,"pieces":3,"relations":[]}','0806ad281890740dc9e63e27','{"body":"hash"}',NULL,'{"action": "update", "run": "20261102T100000.005000Z-3435e2", "at": "2026-11-02T10:00:00.035000Z", "method": "PUT", "route": "/contacts/{id}/notes/{id}"}',2,2,5,'~','20261102T100000.005000Z-3435e2','created','20261102T200000.005000Z-472595','20261102T200000.005000Z-472595','*');
INSERT INTO "record" VALUES('place1','note:treatment_notes/8','note','treatment_notes/8','treatment_notes','hl_notes',NULL,NULL,NULL,'held','waits_for:contact:patients/9',NULL,'{"absent":false,"contact":"patients/9","fields":{"body":"Note 8"},"joins":[],"only_these":false,"relations":[]}','9c6283c99013f4d7c8d2704d',NULL,NULL,NULL,1,1,5,'~','20261102T200000.005000Z-472595',NULL,NULL,NULL,'');
INSERT INTO "record" VALUES('place1','relation:of|custom_objects.profile:patients/1|contact:patients/1','relation','of|custom_objects.profile:patients/1|contact:patients/1','patients','hl_profiles','custom_objects.profile:patients/1','hl-relation:of|custom_objects.profile:patients/1|contact:patients/1',NULL,'done',NULL,NULL,NULL,NULL,'{"association":"hash","first":"hash","second":"hash"}',NULL,NULL,1,1,3,'~','20261102T200000.005000Z-472595','created','20261102T200000.005000Z-472595','20261102T200000.005000Z-472595','*');
INSERT INTO "record" VALUES('place1','contact:patients/4','contact','patients/4','patients','hl_contacts',NULL,NULL,NULL,'ready',NULL,NULL,'{"absent":false,"contact":null,"fields":{"name":"Patient 4"},"joins":[],"only_these":false,"relations":[]}','00f963a2b54d0b8c4ebff625',NULL,NULL,'{"action": "create", "run": "20261102T100000.005000Z-3435e2", "at": "2026-11-02T10:00:00.025000Z", "method": "POST", "route": "/contacts/"}',1,2,1,'~','20261102T100000.005000Z-3435e2',NULL,NULL,NULL,'');
CREATE TABLE run (
	id VARCHAR NOT NULL, 
	location VARCHAR NOT NULL, 
	mode VARCHAR NOT NULL, 
	started_at VARCHAR NOT NULL, 
	ended_at VARCHAR, 
	exit_code INTEGER, 
	facts TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "run" VALUES('20261102T200000.005000Z-472595','place1','load','2026-11-02T20:00:00Z','2026-11-02T20:00:00Z',4,'{"report": {}}');
INSERT INTO "run" VALUES('20261102T100000.005000Z-3435e2','place1','load','2026-11-02T10:00:00Z',NULL,NULL,'{}');
CREATE INDEX record_seq ON record (location, status, seq);
CREATE INDEX record_id ON record (location, object, hl_id);
CREATE INDEX record_work ON record (location, status, rank, priority, seq);
CREATE INDEX record_origin ON record (location, origin);
CREATE INDEX dependency_parent ON dependency (location, parent);
CREATE INDEX exclusion_other ON exclusion (location, other);
CREATE INDEX contribution_part ON contribution (location, part);
CREATE INDEX joined_target ON joined (location, target);
COMMIT;
