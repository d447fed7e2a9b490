drop table tracks;
drop table albums;
drop table artists;
drop table genres;
