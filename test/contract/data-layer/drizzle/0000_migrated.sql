create table migrated (id int primary key);
